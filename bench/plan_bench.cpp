// What bounds are worth: the same search with and without them, in one run. The ratio of the two
// rates holds on any machine; the rates do not. Candidates are the same in both and all covered.

#include <benchmark/benchmark.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "study/plan_search.hpp"

namespace {

using namespace fathom;

study::PlanRequest request() {
  return study::parse_plan_request(
      {{"model", "deepseek-v3.2"},
       {"hardware", {"h800", "b200"}},
       {"traffic", {{"input_tokens", 4096}, {"output_tokens", 1024}, {"requests_per_s", 20}}},
       {"targets", {{"ttft_s", 5}, {"tpot_ms", 50}}},
       {"search", {{"draft_tokens", {0, 1}}}},
       {"acceptance", 0.85}},
      "plan_bench#");
}

double seconds(const study::PlanRequest& question, bool exhaustive, study::SearchCounts& counts) {
  const auto begin = std::chrono::steady_clock::now();
  counts =
      study::total_counts(study::search_plans(question, {.threads = 1, .exhaustive = exhaustive}));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void pruned_over_exhaustive(benchmark::State& state) {
  const study::PlanRequest question = request();
  study::SearchCounts pruned;
  study::SearchCounts all;
  double with = 0.0;
  double without = 0.0;
  for (auto _ : state) {
    with += seconds(question, false, pruned);
    without += seconds(question, true, all);
  }
  const auto runs = static_cast<double>(state.iterations());
  const auto candidates = static_cast<double>(pruned.decode_points + pruned.prefill_points);
  state.counters["candidates"] = candidates;
  state.counters["evaluated_share"] = static_cast<double>(pruned.evaluated) / candidates;
  state.counters["candidates_per_s"] = runs * candidates / with;
  state.counters["exhaustive_candidates_per_s"] = runs * candidates / without;
  state.counters["speed_up"] = without / with;
}

BENCHMARK(pruned_over_exhaustive)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
