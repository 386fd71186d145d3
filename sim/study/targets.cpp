#include "study/targets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;
using Of = LatencyPercentile::Of;

constexpr std::array kPercents{50, 75, 90, 95, 99};

std::optional<Seconds> positive(JsonReader& in, const std::string& key) {
  const auto time = in.seconds_opt(key);
  if (time && time->value <= 0.0) in.fail(key, "0; expected a time above 0 s");
  return time;
}

std::optional<double> above_zero(JsonReader& in, std::string_view key) {
  if (!in.has(key)) {
    in.ignore(key);
    return std::nullopt;
  }
  return in.number(key, 1e-9, 1e12);
}

}  // namespace

std::string name(const LatencyPercentile& t) {
  return fmt::format("{} p{}", t.of == Of::ttft ? "TTFT" : "TPOT", t.percent);
}

std::string key(const LatencyPercentile& p) {
  return fmt::format("{}_p{}", p.of == Of::ttft ? "ttft" : "tpot", p.percent);
}

std::optional<Seconds> tpot_limit(const Targets& t) {
  if (!t.tokens_per_s_per_user) return t.tpot;
  const Seconds limit{1.0 / *t.tokens_per_s_per_user};
  return t.tpot ? std::min(*t.tpot, limit) : limit;
}

Targets read_targets(JsonReader in) {
  Targets t;
  t.ttft = positive(in, "ttft");
  t.tpot = positive(in, "tpot");
  for (const Of of : {Of::ttft, Of::tpot}) {
    for (const int percent : kPercents) {
      LatencyPercentile p{of, percent, {}};
      const auto limit = positive(in, key(p));
      if (!limit) continue;
      p.time = *limit;
      t.percentiles.push_back(p);
    }
  }
  t.tokens_per_s_per_user = above_zero(in, "tokens_per_s_per_user");
  t.budget_usd_per_hour = above_zero(in, "budget_usd_per_hour");
  t.power_kw = above_zero(in, "power_kw");
  in.ignore({"max_gpus", "confidence"});
  if (in.has("max_gpus")) t.max_gpus = in.integer("max_gpus", 1, 1 << 20);
  if (in.has("confidence")) t.confidence = in.number("confidence", 0.5, 0.999);
  in.finish();
  return t;
}

json to_json(const Targets& t) {
  json out = json::object();
  if (t.ttft) out["ttft_s"] = t.ttft->value;
  if (t.tpot) out["tpot_s"] = t.tpot->value;
  for (const LatencyPercentile& p : t.percentiles) out[key(p) + "_s"] = p.time.value;
  const auto put = [&out](const char* key, const auto& value) {
    if (value) out[key] = *value;
  };
  put("tokens_per_s_per_user", t.tokens_per_s_per_user);
  put("budget_usd_per_hour", t.budget_usd_per_hour);
  put("power_kw", t.power_kw);
  put("max_gpus", t.max_gpus);
  put("confidence", t.confidence);
  return out;
}

}  // namespace fathom::study
