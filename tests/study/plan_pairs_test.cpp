// Clusters over two machines, and the winners of a search against all pairs sized one by one.
#include "study/plan_pairs.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "study/plan_requests.hpp"

using namespace fathom;
using namespace fathom::study;
using nlohmann::json;
using plan_test::parsed;
using plan_test::small_request;

namespace {

json two_machines() {
  json document = small_request();
  document["hardware"] = {"h800", "b200"};
  document["search"] = {{"tp", {1}},
                        {"pp", {1}},
                        {"dp", {8, 16}},
                        {"pair_hardware", true},
                        {"max_instance_devices", 16}};
  return document;
}

// Every point of both phases on one machine.
struct AllPoints {
  std::vector<PhasePoint> decode;
  std::vector<PhasePoint> prefill;
};

AllPoints all_points(const PlanRequest& r, std::size_t hardware) {
  AllPoints out;
  const hw::Cluster& cluster = r.hardware[hardware];
  for (const mapping::Plan& plan : candidate_plans(r)) {
    if (refusal_of(r, cluster, plan)) continue;
    infer::StepModel model = step_model(r, cluster, plan);
    const Candidates c = candidates_of(r, model);
    const auto add = [&](const std::vector<Candidate>& from, model::Phase phase,
                         std::vector<PhasePoint>& to) {
      for (const Candidate& one : from) {
        if (const auto point = evaluate_point(r, model, one, phase)) to.push_back(*point);
      }
    };
    add(c.decode, model::Phase::decode, out.decode);
    add(c.prefill, model::Phase::prefill, out.prefill);
  }
  return out;
}

}  // namespace

TEST_CASE("no pair of any two points makes a better disaggregated cluster than the search finds",
          "[study][plan][property]") {
  const PlanRequest r = parsed(two_machines());
  const PlanResult result = search_plans(r, {.threads = 1});
  const std::vector<AllPoints> points{all_points(r, 0), all_points(r, 1)};
  Winners best;
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b) {
      const Machines machines{a, b};
      const Seconds transfer = kv_transfer_time(r, machines);
      for (const PhasePoint& decode : points[b].decode) {
        for (const PhasePoint& prefill : points[a].prefill) {
          const auto size = size_disaggregated(demand_of(r), prefill, decode, transfer);
          if (size) best.offer(make_pair_plan(r, machines, prefill, decode, *size));
        }
      }
    }
  }
  REQUIRE(best.smallest);
  const auto serving = Serving::disaggregated;
  CHECK(smallest_cluster(result, serving)->devices == best.smallest->devices);
  CHECK(cheapest_cluster(result, serving)->cost->usd_per_million_blended ==
        best.cheapest->cost->usd_per_million_blended);
  CHECK(fastest_cluster(result, serving)->size.tpot == best.fastest->size.tpot);
}

TEST_CASE("each side of a pair pays its own price and fills its own nodes", "[study][plan]") {
  const PlanResult result = search_plans(parsed(two_machines()), {.threads = 1});
  REQUIRE(result.pairs.size() == 2);
  for (const PairResult& pair : result.pairs) {
    REQUIRE_FALSE(pair.serving.candidates.empty());
    for (const ClusterPlan& p : pair.serving.candidates) {
      CHECK(p.prefill_hardware == pair.prefill_hardware);
      CHECK(p.hardware == pair.decode_hardware);
      const auto of = [&](std::size_t machine, std::int64_t instances, const PhasePoint& point) {
        const double price = *device_price(result.request, result.request.hardware[machine]);
        return price * static_cast<double>(instances * mapping::devices(point.plan));
      };
      const double hourly = of(p.prefill_hardware, p.size.prefill_instances, p.prefill) +
                            of(p.hardware, p.size.decode_instances, p.decode);
      CHECK(std::abs(p.cost->usd_per_hour - hourly) <= 1e-12 * hourly);
      // instances here are whole nodes of 8
      CHECK(p.nodes * 8 == p.devices);
      CHECK(p.decode_memory.available == result.request.hardware[p.hardware].device.memory_usable);
      CHECK(p.prefill_memory.available ==
            result.request.hardware[p.prefill_hardware].device.memory_usable);
    }
  }
}

TEST_CASE("a cache crosses the slower of two machines' links", "[study][plan]") {
  const PlanRequest r = parsed(two_machines());
  const Seconds h800 = kv_transfer_time(r, r.hardware[0]);
  const Seconds b200 = kv_transfer_time(r, r.hardware[1]);
  CHECK(kv_transfer_time(r, Machines{0, 1}) == std::max(h800, b200));
  CHECK(kv_transfer_time(r, Machines{1, 0}) == std::max(h800, b200));
}

TEST_CASE("both sides of a cluster run in the same formats", "[study][plan]") {
  json document = two_machines();
  document["search"]["precision"] = {{{"name", "wide"}, {"kv", "bf16"}},
                                     {{"name", "narrow"}, {"kv", "fp8"}}};
  const PlanResult result = search_plans(parsed(document), {.threads = 1});
  const auto check = [](const ServingResult& s) {
    for (const ClusterPlan& p : s.candidates) CHECK(p.prefill.precision == p.decode.precision);
  };
  for (const HardwareResult& h : result.hardware) {
    for (const ServingResult& s : h.serving) check(s);
  }
  for (const PairResult& p : result.pairs) check(p.serving);
  CHECK(result.hardware[0].counts.plans == 2 * candidate_plans(result.request).size());
}

TEST_CASE("nothing that meets the targets is faster than the fastest cluster", "[study][plan]") {
  const PlanResult result = search_plans(parsed(two_machines()), {.threads = 1});
  const ClusterPlan* fastest = fastest_cluster(result);
  REQUIRE(fastest != nullptr);
  for (const HardwareResult& h : result.hardware) {
    for (const ServingResult& s : h.serving) {
      for (const ClusterPlan& p : s.candidates)
        CHECK(p.tokens_per_s_per_user <= fastest->tokens_per_s_per_user);
    }
  }
}
