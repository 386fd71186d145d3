// What bounds leave out cannot be an answer: pruned and exhaustive searches of random requests.
#include <nlohmann/json.hpp>
#include <random>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "study/pareto.hpp"
#include "study/plan_instance.hpp"
#include "study/plan_requests.hpp"

using namespace fathom;
using namespace fathom::study;
using nlohmann::json;
using plan_test::parsed;
using plan_test::small_request;

namespace {

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  bool even() { return engine_() % 2 == 0; }
  template <class T>
  T one_of(const std::vector<T>& list) {
    return list[engine_() % list.size()];
  }

 private:
  std::mt19937_64 engine_;
};

json random_request(unsigned seed) {
  Dice dice(seed);
  const auto model = dice.one_of<std::string>(
      {"deepseek-v3.2", "deepseek-v3", "qwen3-30b-a3b", "mixtral-8x7b", "llama-3.1-70b"});
  const bool deepseek = model.starts_with("deepseek");
  json out{{"model", model},
           {"hardware", dice.even() ? json{"h200", "b200"} : json{"gb200-nvl72", "h800"}},
           {"traffic",
            {{"input_tokens", dice.one_of<int>({200, 1500, 6000})},
             {"output_tokens", dice.one_of<int>({100, 700})},
             {"prefix_hit", dice.one_of<double>({0.0, 0.6})}}},
           {"targets", json::object()}};
  out["traffic"][dice.even() ? "requests_per_s" : "concurrency"] =
      dice.one_of<double>({1.0, 30.0, 400.0});
  if (dice.even()) out["targets"]["ttft_s"] = dice.one_of<double>({0.3, 1.0, 5.0});
  if (dice.even()) out["targets"]["tpot_ms"] = dice.one_of<double>({10.0, 30.0, 80.0});
  // sizing every pair with queues takes its time
  if (out["traffic"].contains("requests_per_s") && seed % 4 == 0) {
    out["traffic"]["queueing"] = true;
    if (dice.even()) out["targets"]["ttft_p99_s"] = dice.one_of<double>({0.8, 6.0});
    if (dice.even()) out["targets"]["budget_usd_per_hour"] = dice.one_of<double>({100.0, 1000.0});
  }
  json& search = out["search"];
  search = {{"max_instance_devices", deepseek ? 16 : 8},
            {"max_devices", dice.one_of<int>({64, 4096})},
            {"tp", {1, 4, 8}},
            {"pair_hardware", dice.even()}};
  if (dice.even()) out["spare_nodes"] = 1;
  if (dice.even()) search["cp"] = {1, 2};
  if (dice.even()) search["chunk_tokens"] = {0, 512};
  if (dice.even() && deepseek) search["redundant_experts"] = {0, 16};
  if (dice.even()) search["all_to_all"] = {"automatic", "throughput", "low_latency", "gather"};
  if (dice.even()) {
    search["precision"] = {{{"name", "wide"}, {"kv", "bf16"}}, {{"name", "narrow"}, {"kv", "fp8"}}};
  }
  if (dice.even() && deepseek) {
    search["draft_tokens"] = {0, 2};
    out["acceptance"] = 0.7;
  }
  return out;
}

// Everything but how much was evaluated.
json answer(const PlanResult& result) {
  json out = to_json(result);
  out.erase("tried");
  for (json& machine : out["hardware"]) {
    machine.erase("tried");
    for (json& serving : machine["serving"]) serving.erase("plans_meeting_targets");
  }
  return out;
}

SearchCounts without_effort(SearchCounts counts) {
  counts.evaluated = counts.pruned = 0;
  return counts;
}

}  // namespace

TEST_CASE("pruning changes no candidate, front or winner", "[study][plan][property]") {
  const auto seed = GENERATE(range(1U, 13U));
  const json document = random_request(seed);
  CAPTURE(seed, document.dump());
  const PlanRequest request = parsed(document);
  const PlanResult pruned = search_plans(request, {.threads = 1});
  const PlanResult all = search_plans(request, {.threads = 1, .exhaustive = true});
  CHECK(dump_json(answer(pruned)) == dump_json(answer(all)));
  const SearchCounts few = total_counts(pruned);
  const SearchCounts many = total_counts(all);
  CHECK(without_effort(few) == without_effort(many));
  CHECK(few.evaluated + few.pruned == few.decode_points + few.prefill_points);
  CHECK(many.evaluated == many.decode_points + many.prefill_points);
  CHECK(many.pruned == 0);
}

TEST_CASE("pruning changes nothing under percentiles, mixed lengths and budgets",
          "[study][plan][property]") {
  const auto seed = GENERATE(range(31U, 34U));
  json document = random_request(seed);
  Dice dice(seed);
  json& traffic = document["traffic"];
  traffic.erase("concurrency");
  traffic["requests_per_s"] = dice.one_of<double>({2.0, 40.0});
  if (dice.even()) {
    for (const char* key : {"input_tokens", "output_tokens"}) traffic.erase(key);
    traffic["lengths"] = {{{"input_tokens", 300}, {"output_tokens", 100}, {"weight", 4}},
                          {{"input_tokens", 6000}, {"output_tokens", 900}}};
  }
  if (dice.even()) traffic["peak_factor"] = 2.0;
  if (dice.even()) traffic["arrival_scv"] = dice.one_of<double>({0.5, 6.0});
  json& targets = document["targets"];
  targets["ttft_p99_s"] = dice.one_of<double>({1.0, 4.0, 20.0});
  if (dice.even()) targets["tpot_p90_ms"] = dice.one_of<double>({25.0, 80.0});
  if (dice.even()) targets["power_kw"] = 60;
  if (dice.even()) targets["confidence"] = 0.8;
  if (dice.even()) document["spare_nodes"] = 1;
  document["price_usd_per_gpu_hour"] = 2.5;
  if (dice.even()) targets["budget_usd_per_hour"] = dice.one_of<double>({80.0, 300.0});
  CAPTURE(seed, document.dump());
  const PlanRequest request = parsed(document);
  const PlanResult pruned = search_plans(request, {.threads = 1});
  const PlanResult all = search_plans(request, {.threads = 1, .exhaustive = true});
  CHECK(dump_json(answer(pruned)) == dump_json(answer(all)));
}

TEST_CASE("a wide search evaluates less than half of its candidates", "[study][plan]") {
  json document = small_request();
  document["search"] = {{"max_instance_devices", 64}};
  const SearchCounts counts = total_counts(plan_test::solve(document));
  CHECK(counts.pruned > counts.evaluated);
}

TEST_CASE("no candidate is better than its bound", "[study][plan][property]") {
  const auto seed = GENERATE(21U, 22U, 23U, 24U);
  const PlanRequest request = parsed(random_request(seed));
  const hw::Cluster& cluster = request.hardware.front();
  for (const mapping::Plan& plan : candidate_plans(request)) {
    if (refusal_of(request, cluster, plan)) continue;
    infer::StepModel model = step_model(request, cluster, plan);
    BoundTable bounds(request, model);
    Instance in;
    in.plan = plan;
    prepare(request, model, &bounds, in);
    CAPTURE(seed, mapping::describe(plan));
    const auto holds = [&](model::Phase phase, const std::vector<Candidate>& list,
                           const std::vector<Optimum>& best) {
      for (std::size_t i = 0; i < list.size(); i += 3) {
        const auto real = evaluate_point(request, model, list[i], phase);
        REQUIRE(real);  // what is listed fits
        const PhasePoint least = optimistic_point(plan, list[i], best[i]);
        CHECK(least.estimate.latency <= real->estimate.latency);
        CHECK(least.requests_per_s >= real->requests_per_s);
        if (phase == model::Phase::decode) {
          CHECK(least.estimate.step.cycle <= real->estimate.step.cycle);
        } else {
          CHECK(prefill_wait(least) <= prefill_wait(*real));
        }
      }
    };
    holds(model::Phase::decode, in.candidates.decode, in.decode_bounds);
    holds(model::Phase::prefill, in.candidates.prefill, in.prefill_bounds);
  }
}

TEST_CASE("a staircase beats exactly what one of its points beats", "[study][plan][property]") {
  std::mt19937_64 engine(5);
  const auto any = [&] { return static_cast<double>(engine() % 12); };
  Staircases stairs;
  std::vector<Objectives> points;
  for (int i = 0; i < 40; ++i) {
    const Objectives p{1.0 + static_cast<double>(engine() % 3), any(), -any()};
    points.push_back(p);
    stairs.add(static_cast<std::int64_t>(p[0]), Seconds{p[1]}, -p[2]);
    for (int k = 0; k < 30; ++k) {
      const Objectives q{1.0 + static_cast<double>(engine() % 3), any(), -any()};
      const bool beaten = std::ranges::any_of(
          points, [&](const Objectives& x) { return x[0] <= q[0] && x[1] < q[1] && x[2] < q[2]; });
      CHECK(stairs.beat(static_cast<std::int64_t>(q[0]), Seconds{q[1]}, -q[2]) == beaten);
    }
  }
}

TEST_CASE("kernels that come to the same are tried once", "[study][plan]") {
  json document = small_request();
  const SearchCounts one = total_counts(plan_test::solve(document));
  document["search"]["all_to_all"] = {"automatic", "low_latency"};
  const SearchCounts two = total_counts(plan_test::solve(document));
  CHECK(two.decode_points == one.decode_points);   // automatic means low latency
  CHECK(two.prefill_points > one.prefill_points);  // … but throughput kernels for prompts
}
