#include "study/plan_figures.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "lang/say.hpp"

namespace fathom::study {
namespace {

using lang::say;
using nlohmann::json;

struct Figure {
  const char* what;
  const char* unit;
  const char* pointer;
};

constexpr std::array kQuestion{
    Figure{"prompt", "tokens", "/request/traffic/input_tokens"},
    Figure{"output", "tokens", "/request/traffic/output_tokens"},
    Figure{"traffic", "requests/s", "/request/traffic/requests_per_s"},
    Figure{"traffic", "concurrent requests", "/request/traffic/concurrency"},
    Figure{"TTFT target", "s", "/request/targets/ttft_s"},
    Figure{"TTFT p99 target", "s", "/request/targets/ttft_p99_s"},
    Figure{"TPOT target", "s", "/request/targets/tpot_s"},
    Figure{"TPOT p99 target", "s", "/request/targets/tpot_p99_s"}};

constexpr std::array kCluster{
    Figure{"devices", "", "/devices"},
    Figure{"nodes", "", "/nodes"},
    Figure{"prefill instances", "", "/size/prefill_instances"},
    Figure{"decode instances", "", "/size/decode_instances"},
    Figure{"decode batch", "sequences", "/decode/batch"},
    Figure{"served", "requests/s", "/size/requests_per_s"},
    Figure{"supported", "requests/s", "/size/requests_per_s_supported"},
    Figure{"TTFT", "s", "/size/ttft_s"},
    Figure{"TTFT p99", "s", "/size/percentiles/ttft_p99_s"},
    Figure{"TPOT", "s", "/size/tpot_s"},
    Figure{"speed", "tokens/s/user", "/tokens_per_s_per_user"},
    Figure{"output", "tokens/s/device", "/output_tokens_per_s_per_device"},
    Figure{"power of devices", "kW", "/power_kw"},
    Figure{"cost", "USD/h", "/cost/usd_per_hour"},
    Figure{"input", "USD/M tokens", "/cost/usd_per_million_input_tokens"},
    Figure{"output", "USD/M tokens", "/cost/usd_per_million_output_tokens"},
    Figure{"input + output", "USD/M tokens", "/cost/usd_per_million_blended_tokens"}};

std::optional<double> number_at(const json& document, const char* pointer) {
  const json::json_pointer at{pointer};
  if (!document.is_structured() || !document.contains(at)) return std::nullopt;
  const json& value = document.at(at);
  return value.is_number() ? std::optional<double>(value.get<double>()) : std::nullopt;
}

template <std::size_t N>
std::vector<FigurePair> pairs(const std::array<Figure, N>& figures, const json& a, const json& b) {
  std::vector<FigurePair> out;
  for (const Figure& f : figures) {
    FigurePair pair{f.what, f.unit, number_at(a, f.pointer), number_at(b, f.pointer)};
    if (pair.a || pair.b) out.push_back(std::move(pair));
  }
  return out;
}

const json& winner(const json& result, const char* which) {
  static const json nothing;
  const json::json_pointer at{fmt::format("/winners/any/{}", which)};
  return result.contains(at) ? result.at(at) : nothing;
}

PlanLabel label_of(const json& result) {
  const json& request = result.at("request");
  PlanLabel out{.name = request.value("name", "")};
  if (out.name.empty()) out.name = request.value("model", "");
  const json& best = winner(result, "smallest");
  if (best.is_object()) {
    out.cluster = say("{} {}, {}", best.value("devices", std::int64_t{0}),
                      best.value("hardware", ""), best.value("serving", ""));
  }
  return out;
}

void expect_result(const json& document, std::string_view where) {
  if (is_plan_result(document)) return;
  throw InputError(fmt::format(
      "{}: found no 'request' and 'winners', expected a result of fathom plan --format json",
      where));
}

json pairs_json(const std::vector<FigurePair>& pairs) {
  json out = json::array();
  const auto value = [](const std::optional<double>& x) { return x ? json(*x) : json(nullptr); };
  for (const FigurePair& p : pairs) {
    out.push_back({{"what", p.what},
                   {"unit", p.unit},
                   {"a", value(p.a)},
                   {"b", value(p.b)},
                   {"ratio", value(p.ratio())}});
  }
  return out;
}

json label_json(const PlanLabel& label) {
  return {{"name", label.name},
          {"smallest", label.cluster.empty() ? json(nullptr) : json(label.cluster)}};
}

}  // namespace

std::optional<double> FigurePair::ratio() const {
  return a && b && *a != 0.0 ? std::optional<double>(*b / *a) : std::nullopt;
}

bool is_plan_result(const json& document) {
  return document.is_object() && document.contains("request") && document.contains("winners") &&
         document.at("request").is_object() && document.at("winners").is_object();
}

PlanComparison compare_plans(const json& a, std::string_view where_a, const json& b,
                             std::string_view where_b) {
  expect_result(a, where_a);
  expect_result(b, where_b);
  return {.a = label_of(a),
          .b = label_of(b),
          .question = pairs(kQuestion, a, b),
          .smallest = pairs(kCluster, winner(a, "smallest"), winner(b, "smallest")),
          .cheapest = pairs(kCluster, winner(a, "cheapest"), winner(b, "cheapest"))};
}

json to_json(const PlanComparison& c) {
  return {{"a", label_json(c.a)},
          {"b", label_json(c.b)},
          {"question", pairs_json(c.question)},
          {"smallest", pairs_json(c.smallest)},
          {"cheapest", pairs_json(c.cheapest)}};
}

}  // namespace fathom::study
