#include "study/plan_search.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "study/pareto.hpp"
#include "study/plan_requests.hpp"

using namespace fathom;
using namespace fathom::study;
using nlohmann::json;
using plan_test::at;
using plan_test::small_request;
using plan_test::solve;

namespace {

// Devices of the smallest cluster; 0 when nothing meets the targets.
std::int64_t devices(const PlanResult& result, std::optional<Serving> serving = {}) {
  const ClusterPlan* best = smallest_cluster(result, serving);
  return best == nullptr ? 0 : best->devices;
}

}  // namespace

TEST_CASE("doubling the rate never shrinks the cluster", "[study][plan][property]") {
  const auto serving = GENERATE(Serving::aggregated, Serving::disaggregated);
  std::int64_t before = 0;
  for (const double rate : {1.0, 5.0, 10.0, 20.0, 40.0, 80.0}) {
    const auto now = devices(solve(at(small_request(), "/traffic/requests_per_s", rate)), serving);
    CAPTURE(rate, name(serving));
    CHECK(now >= before);
    before = now;
  }
}

TEST_CASE("relaxing a target never grows the cluster", "[study][plan][property]") {
  const auto [pointer, steps] = GENERATE(
      table<std::string, std::vector<double>>({{"/targets/tpot_ms", {30.0, 40.0, 50.0, 100.0}},
                                               {"/targets/ttft_s", {1.0, 2.0, 5.0, 20.0}}}));
  const auto serving = GENERATE(Serving::aggregated, Serving::disaggregated);
  std::int64_t before = 0;
  for (const double target : steps) {
    const auto now = devices(solve(at(small_request(), pointer, target)), serving);
    CAPTURE(pointer, target, name(serving));
    CHECK((before == 0 || (now != 0 && now <= before)));
    before = now;
  }
  CHECK(before > 0);
}

TEST_CASE("a price changes what a cluster costs and nothing else", "[study][plan]") {
  const PlanResult dear = solve(at(small_request(), "/price_usd_per_gpu_hour", 4.0));
  const PlanResult cheap = solve(at(small_request(), "/price_usd_per_gpu_hour", 1.0));
  const ClusterPlan* a = cheapest_cluster(dear);
  const ClusterPlan* b = cheapest_cluster(cheap);
  REQUIRE(a != nullptr);
  REQUIRE(b != nullptr);
  CHECK(a->devices == b->devices);
  CHECK(a->cost->usd_per_hour == 4.0 * b->cost->usd_per_hour);
  CHECK(dear.hardware[0].serving[0].meeting_targets ==
        cheap.hardware[0].serving[0].meeting_targets);
}

TEST_CASE("input and output tokens together pay for the whole cluster", "[study][plan]") {
  const PlanResult result = solve(small_request());
  for (const ServingResult& s : result.hardware[0].serving) {
    for (const ClusterPlan& p : s.candidates) {
      const Traffic& t = result.request.traffic;
      const double hourly = 3600.0 * p.size.requests_per_s *
                            (t.input_tokens * p.cost->usd_per_million_input +
                             t.output_tokens * p.cost->usd_per_million_output) /
                            1e6;
      CHECK(std::abs(hourly - p.cost->usd_per_hour) <= 1e-9 * p.cost->usd_per_hour);
    }
  }
}

TEST_CASE("rate matching closes: both sides carry the traffic within the busy limit",
          "[study][plan][invariant]") {
  const PlanResult result = solve(small_request());
  const double limit = result.request.utilisation * (1.0 + 1e-9);
  for (const ServingResult& s : result.hardware[0].serving) {
    REQUIRE_FALSE(s.candidates.empty());
    for (const ClusterPlan& p : s.candidates) {
      CHECK(p.size.requests_per_s == 20.0);
      CHECK(p.size.requests_per_s <= p.size.requests_per_s_supported * (1.0 + 1e-9));
      CHECK(p.size.decode_utilisation <= limit);
      CHECK(p.size.prefill_utilisation <= limit);
      CHECK(p.size.ttft <= Seconds{5.0 * (1.0 + 1e-9)});
      CHECK(p.size.tpot <= Seconds{0.05 * (1.0 + 1e-9)});
      CHECK(p.decode_memory.fits());
      CHECK(p.prefill_memory.fits());
      CHECK(p.devices == p.size.prefill_instances * mapping::devices(p.prefill.plan) +
                             p.size.decode_instances * mapping::devices(p.decode.plan));
    }
    CHECK(std::ranges::is_sorted(s.candidates, smaller));
  }
}

TEST_CASE("the speed front is not beaten and runs from fast users to busy devices",
          "[study][plan]") {
  const PlanResult result = solve(small_request());
  const auto& front = result.hardware[0].front;
  REQUIRE(front.size() > 2);
  for (std::size_t i = 1; i < front.size(); ++i) {
    CHECK(front[i].estimate.per_user < front[i - 1].estimate.per_user);
    CHECK(front[i].estimate.per_device > front[i - 1].estimate.per_device);
  }
}

TEST_CASE("an impossible target is answered with what is possible", "[study][plan]") {
  const PlanResult result = solve(at(small_request(), "/targets/tpot_ms", 0.01));
  CHECK(smallest_cluster(result) == nullptr);
  CHECK(cheapest_cluster(result) == nullptr);
  for (const ServingResult& s : result.hardware[0].serving) {
    CAPTURE(s.unreachable);
    CHECK(s.unreachable.find("TPOT of 10.0 µs is out of reach") != std::string::npos);
    CHECK(s.unreachable.find("relax the TPOT target") != std::string::npos);
  }
}

TEST_CASE("a model that fits nowhere is answered with why", "[study][plan]") {
  json document = at(small_request(), "/search/max_instance_devices", 1);
  document["search"]["dp"] = {1};
  document["search"]["ep"] = {1};
  const PlanResult result = solve(document);
  CHECK(smallest_cluster(result) == nullptr);
  REQUIRE_FALSE(result.hardware[0].refused.empty());
  CHECK(result.hardware[0].refused[0].cause == Refusal::Cause::memory);
  CHECK(result.hardware[0].serving[0].unreachable.find("exceed") != std::string::npos);
}

TEST_CASE("a cluster limit that nothing keeps is named", "[study][plan]") {
  json document = at(small_request(), "/traffic/requests_per_s", 1000.0);
  document["search"]["max_devices"] = 64;
  const PlanResult result = solve(document);
  CHECK(smallest_cluster(result) == nullptr);
  CHECK(result.hardware[0].serving[0].unreachable.find("max_devices = 64") != std::string::npos);
}

TEST_CASE("without a price the plan stands and costs are left out", "[study][plan]") {
  PlanRequest request = plan_test::parsed(small_request());
  request.hardware[0].price = {};
  const PlanResult result = search_plans(request, {.threads = 1});
  REQUIRE(smallest_cluster(result) != nullptr);
  CHECK_FALSE(smallest_cluster(result)->cost);
  CHECK(cheapest_cluster(result) == nullptr);
}

TEST_CASE("a cached prefix never needs a larger cluster", "[study][plan][property]") {
  std::int64_t before = devices(solve(small_request()));
  for (const double hit : {0.5, 0.9, 1.0}) {
    const auto now = devices(solve(at(small_request(), "/traffic/prefix_hit", hit)));
    CAPTURE(hit);
    CHECK(now <= before);
    before = now;
  }
}

TEST_CASE("a plan does not depend on the number of threads", "[study][plan][property]") {
  json document = small_request();
  document["hardware"] = {"h800", "h200"};
  const std::string one = dump_json(to_json(solve(document, 1)));
  CHECK(dump_json(to_json(solve(document, 4))) == one);
  CHECK(dump_json(to_json(solve(document, 0))) == one);
}

TEST_CASE("batches grow by at most a quarter beyond eight", "[study][plan]") {
  std::set<double> seen;
  for (double batch = 1.0; batch < 5000.0; batch = next_batch(batch)) {
    CHECK(next_batch(batch) > batch);
    CHECK(next_batch(batch) <= std::max(batch + 1.0, 1.25 * batch));
    seen.insert(batch);
  }
  for (double power = 1.0; power < 5000.0; power *= 2.0) CHECK(seen.contains(power));
}
