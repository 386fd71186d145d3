#include "validate/estimate_interval.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "study/evaluate.hpp"

using namespace fathom;
using namespace fathom::validate;

namespace {

study::Scenario scenario() {
  return study::parse_scenario(
      {{"model", "deepseek-v3"},
       {"hardware", "h100-sxm"},
       {"phase", "decode"},
       {"plan", {{"ep", 32}, {"dp", 32}}},
       {"workload", {{"sequences_per_gpu", 64}, {"context_tokens", 4096}}}},
      "x.json#");
}

double latency(const study::Scenario& s) {
  return std::get<infer::InferEstimate>(study::evaluate(s).outcome).latency.value;
}

double width(const Interval& i) { return std::log(i.p90 / i.p10); }

}  // namespace

TEST_CASE("an estimate lies inside its interval, and the same interval comes again",
          "[validate][interval]") {
  const study::Scenario s = scenario();
  const auto interval = estimate_interval(s);
  REQUIRE(interval.has_value());
  CHECK(interval->latency_s.p10 < latency(s));
  CHECK(interval->latency_s.p90 > latency(s));
  CHECK(interval->latency_s == estimate_interval(s)->latency_s);
  CHECK(to_json(*interval, true).at("tpot_s").at("p90") == interval->latency_s.p90);
}

TEST_CASE("efficiencies taken from another device widen the interval by what such transfers err",
          "[validate][interval][transfer]") {
  study::Scenario own = scenario();
  for (auto& family : own.cluster.efficiency.table) {
    for (hw::Efficiency& e : family) e.evidence = hw::Evidence::measured;
  }
  for (auto& form : own.cluster.efficiency.forms) {
    if (form) form->evidence = hw::Evidence::measured;
  }
  study::Scenario relative = own;
  hw::transfer(relative.cluster.efficiency.forms, hw::Transfer::same_generation);
  study::Scenario transferred = own;
  hw::transfer(transferred.cluster.efficiency.forms, hw::Transfer::other_generation);
  CHECK(latency(own) == latency(transferred));
  CHECK(width(estimate_interval(transferred)->latency_s) >
        1.2 * width(estimate_interval(own)->latency_s));
  CHECK(width(estimate_interval(relative)->latency_s) > width(estimate_interval(own)->latency_s));
  CHECK(width(estimate_interval(relative)->latency_s) <
        width(estimate_interval(transferred)->latency_s));
}

TEST_CASE("an infeasible scenario has no interval", "[validate][interval]") {
  study::Scenario s = scenario();
  std::get<infer::DecodeQuery>(s.workload).sequences *= 1000.0;
  CHECK_FALSE(estimate_interval(s).has_value());
}
