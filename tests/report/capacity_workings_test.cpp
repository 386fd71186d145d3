#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "core/si_format.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/capacity_workings.hpp"
#include "report/builders/estimate.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "samples.hpp"
#include "study/plan_search.hpp"

using namespace fathom;
using namespace fathom::report;
using nlohmann::json;

namespace {

/// Reads "0.72 ms + 1.2 s / (1 − 0.31)" or "85 % / (3 ms + 4 ms)" in seconds and plain numbers; a
/// word or a unit that is no time or share counts as one.
class Arithmetic {
 public:
  explicit Arithmetic(std::string_view text) : rest_(text) {}
  double value() {
    const double out = sum();
    blanks();
    CHECK(rest_ == "");
    return out;
  }

 private:
  void blanks() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool take(std::string_view mark) {
    blanks();
    if (!rest_.starts_with(mark)) return false;
    rest_.remove_prefix(mark.size());
    return true;
  }
  double sum() {
    double out = product();
    for (;;) {
      if (take("+")) {
        out += product();
      } else if (take("−")) {
        out -= product();
      } else {
        return out;
      }
    }
  }
  double product() {
    double out = factor();
    for (;;) {
      if (take("×")) {
        out *= factor();
      } else if (take("/")) {
        out /= factor();
      } else {
        return out;
      }
    }
  }
  double factor() {
    if (take("(")) {
      const double out = sum();
      CHECK(take(")"));
      return out;
    }
    blanks();
    const std::string text(rest_);
    char* end = nullptr;
    const double out = std::strtod(text.c_str(), &end);
    CHECK(end != text.c_str());
    rest_.remove_prefix(static_cast<std::size_t>(end - text.c_str()));
    return out * unit();
  }
  // The words that follow a number; the first says its unit.
  double unit() {
    static const std::map<std::string, double> kUnits{
        {"s", 1.0}, {"ms", 1e-3}, {"µs", 1e-6}, {"min", 60.0}, {"%", 1e-2}};
    double out = 1.0;
    for (bool first = true;; first = false) {
      blanks();
      std::string word;
      while (!rest_.empty() &&
             (std::isalpha(static_cast<unsigned char>(rest_.front())) != 0 ||
              rest_.starts_with("µ") || rest_.starts_with("\xB5") || rest_.front() == '%' ||
              (!word.empty() && rest_.starts_with("/") && rest_.size() > 1 &&
               std::isalpha(static_cast<unsigned char>(rest_[1])) != 0))) {
        word += rest_.front();
        rest_.remove_prefix(1);
      }
      if (word.empty()) return out;
      const auto known = kUnits.find(word);
      if (first && known != kUnits.end()) out = known->second;
    }
  }

  std::string_view rest_;
};

struct Sides {
  double left = 0.0;
  double right = 0.0;
};

// "a + b = c, rounded up: d" gives a + b and c.
std::optional<Sides> equation(const std::string& text) {
  const std::size_t equal = text.find(" = ");
  if (equal == std::string::npos) return std::nullopt;
  const std::string right = text.substr(equal + 3);
  return Sides{Arithmetic(std::string_view(text).substr(0, equal)).value(),
               Arithmetic(std::string_view(right).substr(0, right.find(','))).value()};
}

// Every number put in has three digits at least: a sum or quotient of a few is off by less.
constexpr double kRounded = 0.02;
bool near(double a, double b) { return std::abs(a - b) <= kRounded * std::abs(b); }

study::PlanResult solve(const char* serving, const json& more = json::object()) {
  json document{
      {"model", "deepseek-v3"},
      {"hardware", "h800"},
      {"traffic", {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}}},
      {"targets", {{"ttft_s", 5}, {"tpot_ms", 50}}},
      {"price_usd_per_gpu_hour", 2.5},
      {"search", {{"tp", {1}}, {"pp", {1}}, {"dp", {16, 32}}, {"ep", {16, 32}}}}};
  document.merge_patch(more);
  document["search"]["serving"] = {serving};
  return study::search_plans(study::parse_plan_request(document, "plan.json#"), {.threads = 1});
}

Workings workings_of(const study::PlanResult& result) {
  REQUIRE(study::smallest_cluster(result) != nullptr);
  return capacity_workings(result, decode_instance(result));
}

const Working& working(const Workings& all, ClusterFigure figure) {
  for (const Working& one : all.items) {
    if (one.anchor == anchor(figure)) return one;
  }
  FAIL("no working of " << anchor(figure));
  return all.items.front();
}

std::string line(const Working& one, std::string_view term) {
  for (const WorkingLine& l : one.lines) {
    if (l.term == term) return l.text;
  }
  return "";
}

double put_in(const Workings& all, ClusterFigure figure) {
  const auto sides = equation(line(working(all, figure), "numbers put in"));
  REQUIRE(sides);
  CHECK(near(sides->left, sides->right));
  return sides->right;
}

// Every figure is what its numbers come to, and every other equation of the cluster's holds.
void check_figures(const study::PlanResult& result) {
  const Workings all = workings_of(result);
  const study::ClusterPlan& p = *study::smallest_cluster(result);
  CHECK(put_in(all, ClusterFigure::devices) == static_cast<double>(p.devices));
  CHECK(near(put_in(all, ClusterFigure::ttft), p.size.ttft.value));
  CHECK(near(put_in(all, ClusterFigure::tpot), p.size.tpot.value));
  CHECK(near(put_in(all, ClusterFigure::output), p.output_tokens_per_s_per_device));
  CHECK(near(put_in(all, ClusterFigure::cost),
             study::cheapest_cluster(result)->cost->usd_per_million_blended));
  CHECK(near(put_in(all, ClusterFigure::speed),
             study::fastest_cluster(result)->tokens_per_s_per_user));
  for (const Working& one : all.items) {
    if (!one.anchor.starts_with("how-cluster-")) continue;
    for (const WorkingLine& l : one.lines) {
      if (l.term == "formula" || l.term.ends_with(", formula")) continue;
      if (l.text.find(" = ") == std::string::npos || l.text.find('`') != std::string::npos)
        continue;
      CAPTURE(one.name, l.term, l.text);
      const auto sides = equation(l.text);
      REQUIRE(sides);
      CHECK(near(sides->left, sides->right));
    }
  }
}

// Instances as the text rounds them up.
std::int64_t rounded_up(const std::string& text) {
  const std::size_t at = text.find("rounded up: ");
  REQUIRE(at != std::string::npos);
  const auto sides = equation(text);
  REQUIRE(sides);
  const std::int64_t out = std::atoll(text.c_str() + at + std::string_view("rounded up: ").size());
  CHECK(std::abs(static_cast<double>(out) - std::ceil(sides->right * (1.0 - 1e-4))) < 0.5);
  return out;
}

std::vector<std::string> named_anchors(const Document& page) {
  std::vector<std::string> out;
  for (const Block& block : page.blocks) {
    if (const auto* key = std::get_if<KeyFigures>(&block.content)) {
      for (const KeyFigure& figure : key->figures) out.push_back(figure.anchor);
    }
    if (const auto* plot = std::get_if<LanePlot>(&block.content)) {
      for (const LaneBar& bar : plot->bars) out.push_back(bar.anchor);
    }
    if (const auto* all = std::get_if<Workings>(&block.content)) {
      for (const Working& one : all->items) {
        for (const WorkingLine& l : one.lines) out.push_back(l.anchor);
      }
    }
  }
  std::erase(out, "");
  return out;
}

}  // namespace

TEST_CASE("figures of an aggregated cluster are what the numbers put in come to",
          "[report][workings]") {
  const study::PlanResult result = solve("aggregated");
  check_figures(result);
  const Workings all = workings_of(result);
  const study::ClusterPlan& p = *study::smallest_cluster(result);
  CHECK(rounded_up(line(working(all, ClusterFigure::devices), "instances")) ==
        p.size.decode_instances);
}

TEST_CASE("figures of a disaggregated cluster are what the numbers put in come to",
          "[report][workings]") {
  const study::PlanResult result = solve("disaggregated");
  check_figures(result);
  const Workings all = workings_of(result);
  const Working& devices = working(all, ClusterFigure::devices);
  const study::ClusterPlan& p = *study::smallest_cluster(result);
  CHECK(rounded_up(line(devices, "prefill instances")) == p.size.prefill_instances);
  CHECK(rounded_up(line(devices, "decode instances")) == p.size.decode_instances);
}

TEST_CASE("instances for concurrent requests, a peak and spare nodes follow from their numbers",
          "[report][workings]") {
  const char* serving = GENERATE("aggregated", "disaggregated");
  CAPTURE(serving);
  check_figures(solve(serving, {{"traffic", {{"requests_per_s", nullptr}, {"concurrency", 600}}}}));
  check_figures(solve(serving, {{"traffic", {{"peak_factor", 1.5}}}, {"spare_nodes", 2}}));
  check_figures(solve(serving, {{"targets", {{"ttft_s", 1.5}, {"tpot_ms", 35}}}}));
}

TEST_CASE("each machine of a pair is paid for at its own price", "[report][workings]") {
  const study::PlanResult result =
      solve("disaggregated", {{"hardware", {"h800", "h200"}},
                              {"traffic", {{"requests_per_s", 300}}},
                              {"targets", {{"ttft_s", 2}, {"tpot_ms", 45}}},
                              {"spare_nodes", 1},
                              {"price_usd_per_gpu_hour", {{"h800", 1.5}, {"h200", 1.7}}},
                              {"search", {{"pair_hardware", true}}}});
  const study::ClusterPlan& p = *study::cheapest_cluster(result);
  REQUIRE(p.hardware != p.prefill_hardware);
  check_figures(result);
  const Workings all = workings_of(result);
  const std::string hourly =
      line(working(all, ClusterFigure::cost), "USD per hour, numbers put in");
  CHECK(contains(hourly, " × 1.5 + "));
  CHECK(contains(hourly, " × 1.7 + "));
  CHECK(near(equation(hourly)->left, p.cost->usd_per_hour));
}

TEST_CASE("the wait comes on top of a first token where queues count", "[report][workings]") {
  const char* serving = GENERATE("aggregated", "disaggregated");
  CAPTURE(serving);
  const study::PlanResult result =
      solve(serving, {{"traffic", {{"queueing", true}, {"requests_per_s", 30}}},
                      {"targets", {{"ttft_p99_s", 3}}}});
  check_figures(result);
  const Workings all = workings_of(result);
  const Working& ttft = working(all, ClusterFigure::ttft);
  const study::Wait& wait = study::smallest_cluster(result)->size.wait;
  CHECK(contains(line(ttft, "formula"), "+ wait"));
  CHECK(contains(line(ttft, "wait"), format_seconds(wait.mean)));
  CHECK(contains(line(ttft, "numbers put in"), "+ " + format_seconds(wait.mean) + " ="));
}

TEST_CASE("every anchor that a capacity page names is there once", "[report][workings]") {
  const char* serving = GENERATE("aggregated", "disaggregated");
  CAPTURE(serving);
  const study::PlanResult result = solve(serving);
  Document page = capacity_document(result);
  // The step may have a page of its own beside it, with anchors of its own.
  const auto instance = decode_instance(result);
  REQUIRE(instance);
  for (Block& block : estimate_page(instance->scenario, instance->answer).blocks)
    page.blocks.push_back(std::move(block));
  const std::string html = render_html(page);
  const std::vector<std::string> named = named_anchors(page);
  const std::set<std::string> different(named.begin(), named.end());
  REQUIRE(different.size() > 10);  // six figures, a step and its operators
  for (const std::string& one : different) {
    CAPTURE(one);
    CHECK(count(html, "id=\"" + one + "\"") == 1);
  }
  CHECK(different.contains("how-cluster-tpot"));
  CHECK(different.contains("how-decode-figure-latency"));
  CHECK(different.contains("how-decode-figure-step"));
}

TEST_CASE("workings add one closed block to a capacity page", "[report][workings]") {
  Document page = capacity_document(solve("aggregated"));
  const std::string with = render_markdown(page);
  const auto before = page.blocks.size();
  std::erase_if(page.blocks,
                [](const Block& b) { return std::holds_alternative<Workings>(b.content); });
  CHECK(page.blocks.size() + 1 == before);
  const std::string without = render_markdown(page);
  const std::size_t at = with.find("\n<details><summary>How each number came about");
  REQUIRE(at != std::string::npos);
  const std::size_t end = with.find("</details>\n", at) + std::string_view("</details>\n").size();
  CHECK(with.substr(0, at) + with.substr(end) == without);
}
