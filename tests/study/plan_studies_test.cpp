#include "study/plan_studies.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "../core/input_error.hpp"
#include "catch.hpp"
#include "core/json_io.hpp"
#include "study/kernel_error.hpp"
#include "study/plan_figures.hpp"
#include "study/plan_requests.hpp"

using namespace fathom;
using namespace fathom::study;
using nlohmann::json;
using plan_test::at;
using plan_test::parsed;
using plan_test::small_request;
using plan_test::solve;

namespace {

bool close(double a, double b, double bound = 1e-9) {
  return std::abs(a - b) <= bound * std::abs(b);
}

const SensitivityRow& row_of(const Sensitivity& s, const std::string& input) {
  const auto found = std::ranges::find(s.rows, input, &SensitivityRow::input);
  REQUIRE(found != s.rows.end());
  return *found;
}

}  // namespace

TEST_CASE("a point evaluated again on its own machine is the same point", "[study][plan]") {
  const PlanResult result = solve(small_request());
  const ClusterPlan& best = *smallest_cluster(result);
  const hw::Cluster& cluster = result.request.hardware[0];
  const auto decode = decode_again(result.request, cluster, best.decode);
  const auto prefill = prefill_again(result.request, cluster, best.prefill);
  REQUIRE((decode && prefill));
  CHECK(close(decode->estimate.latency.value, best.decode.estimate.latency.value));
  CHECK(close(decode->requests_per_s, best.decode.requests_per_s));
  CHECK(close(prefill->estimate.latency.value, best.prefill.estimate.latency.value));
  CHECK(close(prefill->requests_per_s, best.prefill.requests_per_s));
}

TEST_CASE("odds rise with the target and are even at the estimate", "[study][odds]") {
  const PlanResult result = solve(small_request());
  const ClusterPlan& best = *smallest_cluster(result);
  PlanRequest request = result.request;
  double before = -1.0;
  for (const double factor : {0.5, 0.9, 1.0, 1.1, 2.0}) {
    request.targets = {};
    request.targets.tpot = best.size.tpot * factor;
    const PlanOdds odds = odds_of(request, best, 128);
    REQUIRE(odds.targets.size() == 1);
    const double p = odds.targets[0].probability;
    CAPTURE(factor, p);
    CHECK(p >= before);
    CHECK(odds.all == p);
    if (factor == 0.5) CHECK(p == 0.0);
    if (factor == 1.0) CHECK((p > 0.35 && p < 0.65));
    if (factor == 2.0) CHECK(p == 1.0);
    CHECK((odds.targets[0].log_sigma > 0.01 && odds.targets[0].log_sigma < 0.4));
    CHECK(odds.targets[0].p10 < odds.targets[0].estimate);
    CHECK(odds.targets[0].p90 > odds.targets[0].estimate);
    before = p;
  }
}

TEST_CASE("odds of the log-normal band are those of its formula", "[study][odds]") {
  // P(latency <= target) = Phi(ln(target / median) / sigma), here from 512 draws. Overlap moves the
  // median away from the estimate: the later of two drawn times counts.
  const PlanResult result = solve(small_request());
  const ClusterPlan& best = *smallest_cluster(result);
  PlanRequest request = result.request;
  request.targets = {};
  request.targets.tpot = best.size.tpot * 1.05;
  const LatencyOdds t = odds_of(request, best, 512).targets[0];
  const double median = std::sqrt(t.p10.value * t.p90.value);
  const double z = std::log(t.target.value / median) / t.log_sigma;
  CHECK(std::abs(t.probability - 0.5 * std::erfc(-z / std::sqrt(2.0))) < 0.06);
}

TEST_CASE("all targets hold no more often than the hardest and no less than by Frechet",
          "[study][odds]") {
  json document = small_request();
  document["targets"] = {{"ttft_p99_s", 6}, {"tpot_ms", 50}};
  const PlanResult result = solve(document);
  REQUIRE(smallest_cluster(result) != nullptr);
  const PlanOdds odds = odds_of(result.request, *smallest_cluster(result), 128);
  REQUIRE(odds.targets.size() == 2);
  const double a = odds.targets[0].probability;
  const double b = odds.targets[1].probability;
  CHECK(odds.all <= std::min(a, b));
  CHECK(odds.all >= a + b - 1.0 - 1e-12);
  CHECK(close(odds.independent, a * b));
}

TEST_CASE("a cluster sized with confidence keeps its targets at least as often", "[study][odds]") {
  std::int64_t before = 0;
  for (const double confidence : {0.5, 0.8, 0.95}) {
    const PlanResult result = solve(at(small_request(), "/targets/confidence", confidence));
    const ClusterPlan* best = smallest_cluster(result);
    REQUIRE(best != nullptr);
    const PlanOdds odds = odds_of(result.request, *best, 128);
    CAPTURE(confidence, odds.all);
    for (const LatencyOdds& t : odds.targets) CHECK(t.probability >= confidence - 0.04);
    CHECK(best->devices >= before);
    before = best->devices;
  }
}

TEST_CASE("kernels at their median are the kernels as calibrated", "[study][odds]") {
  const PlanRequest r = parsed(at(small_request(), "/targets/confidence", 0.5));
  const PlanResult plain = solve(small_request());
  const PlanResult even = search_plans(r, {.threads = 1});
  CHECK(close(smallest_cluster(even)->size.tpot.value, smallest_cluster(plain)->size.tpot.value));
}

TEST_CASE("growth starts at the answer and stops at a limit", "[study][growth]") {
  json document = at(small_request(), "/growth", {{"factor", 2}, {"periods", 4}});
  document["targets"]["max_gpus"] = 400;
  const PlanResult result = solve(document);
  const auto rows = growth_rows(result);
  REQUIRE(rows.size() == 5);
  CHECK(rows[0].plan.devices == smallest_cluster(result)->devices);
  bool over = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].demand == 20.0 * std::pow(2.0, static_cast<double>(i)));
    CHECK(rows[i].exceeds.empty() == (rows[i].plan.devices <= 400));
    if (i > 0) CHECK(rows[i].plan.devices >= rows[i - 1].plan.devices);
    if (i > 0) CHECK(rows[i].plan.devices <= 2 * rows[i - 1].plan.devices);
    over = over || !rows[i].exceeds.empty();
  }
  CHECK(over);
  CHECK(growth_rows(solve(small_request())).empty());
}

TEST_CASE("spare nodes bring back what was lost", "[study][outage]") {
  const PlanResult result = solve(at(small_request(), "/spare_nodes", 1));
  const ClusterPlan& best = *smallest_cluster(result);
  const auto outages = outages_of(result.request, best);
  REQUIRE(outages.size() >= 2);
  const Outage& after = outages.back();
  CHECK_FALSE(after.missed);
  CHECK(after.decode_instances == best.size.decode_instances);
  for (const Outage& o : outages) {
    // every instance here spans nodes: one lost node is one lost instance
    const std::int64_t lost = best.size.prefill_instances + best.size.decode_instances -
                              o.prefill_instances - o.decode_instances;
    CHECK(lost == (&o == &after ? 0 : 1));
    CHECK(o.delivered.ttft >= after.delivered.ttft);
    CHECK(o.serves <= 1.0);
    CHECK((o.serves == 1.0) == !o.missed);
  }
  const PlanResult none = solve(small_request());
  CHECK(outages_of(none.request, *smallest_cluster(none)).empty());
}

TEST_CASE("sensitivity moves the answer the way the input points", "[study][sensitivity]") {
  const PlanResult result = solve(small_request());
  const auto s = sensitivity_of(result, {.threads = 1});
  REQUIRE(s);
  CHECK(s->base.devices <= smallest_cluster(result)->devices);
  CHECK(row_of(*s, "traffic").high.devices >= row_of(*s, "traffic").low.devices);
  CHECK(row_of(*s, "traffic").high.load_devices > row_of(*s, "traffic").low.load_devices);
  CHECK(row_of(*s, "peak FLOP/s").high.load_devices <= row_of(*s, "peak FLOP/s").low.load_devices);
  const SensitivityRow& price = row_of(*s, "price");
  CHECK(price.low.devices == price.high.devices);
  CHECK(close(*price.high.usd_per_million, 1.5 * *price.low.usd_per_million));  // 1.2 / 0.8
  CHECK(close(*price.high.load_usd_per_million, 1.5 * *price.low.load_usd_per_million));
  for (const SensitivityRow& r : s->rows) {
    if (r.input == "traffic" || r.input == "price") continue;
    // what slows kernels or lengthens requests takes more of a cluster, what speeds them up less
    const bool good = r.input.find("band") != std::string::npos ||
                      r.input.find("peak") != std::string::npos ||
                      r.input.find("size") != std::string::npos;
    if (r.low.load_devices == 0.0 || r.high.load_devices == 0.0) continue;
    CAPTURE(r.input, r.low.load_devices, r.high.load_devices);
    CHECK((good ? r.high.load_devices <= r.low.load_devices * (1.0 + 1e-9)
                : r.high.load_devices >= r.low.load_devices * (1.0 - 1e-9)));
  }
  CHECK(row_of(*s, "time of GEMMs").low_text == "p10");
  CHECK(std::ranges::is_sorted(s->rows, std::greater<>{}, &SensitivityRow::swing));
}

TEST_CASE("sensitivity does not depend on the number of threads",
          "[study][sensitivity][property]") {
  const PlanResult result = solve(small_request());
  const auto text = [&](int threads) {
    return dump_json(to_json(*sensitivity_of(result, {.threads = threads})));
  };
  CHECK(text(1) == text(3));
}

TEST_CASE("a plan against itself has ratios of one", "[study][compare]") {
  const json result = to_json(solve(small_request()));
  const PlanComparison c = compare_plans(result, "a.json#", result, "b.json#");
  REQUIRE_FALSE(c.smallest.empty());
  CHECK(c.a.cluster == c.b.cluster);
  for (const FigurePair& p : c.smallest) {
    CAPTURE(p.what);
    if (p.ratio()) CHECK(*p.ratio() == 1.0);
  }
}

TEST_CASE("a comparison says what it cannot compare", "[study][compare]") {
  const json result = to_json(solve(small_request()));
  const std::string message = fathom::test::message_of([&] {
    compare_plans(result, "a.json#", json{{"model", "x"}}, "b.json#");
  });
  CHECK(message.find("b.json#: found no 'request'") != std::string::npos);
}

TEST_CASE("studies that nobody asked for are not in the result", "[study][plan]") {
  const PlanResult result = solve(small_request());
  const json plain = to_json(result, studies_of(result, {}));
  for (const char* key : {"growth", "outages", "odds", "sensitivity"}) {
    CHECK_FALSE(plain.contains(key));
  }
  CHECK(to_json(result, studies_of(result, {.odds = true})).contains("odds"));
}
