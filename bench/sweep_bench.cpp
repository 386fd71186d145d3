// What a sweep is worth: points a second when a model is cut once per setting and re-timed per
// point, against one study::evaluate() per scenario (files read once in both). Reported for peers,
// not measured here: InferSim 2.1 ms per configuration, LLM-Viewer 0.068 ms (roofline only).

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>

#include "study/evaluate.hpp"
#include "sweep/evaluator.hpp"
#include "sweep/sweep.hpp"

namespace {

using namespace fathom;

nlohmann::json document() {
  return nlohmann::json::parse(R"({
    "base": {"model": "deepseek-v3", "hardware": "h800", "phase": "decode",
             "plan": {"ep": 32, "dp": 32}, "workload": {}},
    "axes": [
      {"pointer": "/model", "values": ["deepseek-v3", "deepseek-v3.2"]},
      {"pointer": "/hardware", "values": ["h800", "h200"]},
      {"pointer": "/plan/two_batch_overlap", "values": [false, true]},
      {"pointer": "/workload/sequences_per_gpu", "range": {"from": 1, "to": 64, "count": 64}},
      {"pointer": "/workload/context_tokens", "range": {"from": 1000, "to": 8000, "count": 8}}]})");
}

void points_per_second(benchmark::State& state, std::int64_t points) {
  state.counters["points_per_s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * points), benchmark::Counter::kIsRate);
}

void swept(benchmark::State& state) {
  study::Library library;
  const sweep::Sweep sweep = sweep::parse_sweep(document(), "sweep#", library);
  sweep::Evaluator evaluator(sweep, library);
  sweep::Block block;
  for (auto _ : state) {
    evaluator.run(0, sweep.points(), block);
    benchmark::DoNotOptimize(block.results.data());
  }
  points_per_second(state, sweep.points());
}

// Every eighth point, each a scenario of its own.
void naive(benchmark::State& state) {
  constexpr std::int64_t kStep = 8;
  study::Library library;
  const sweep::Sweep sweep = sweep::parse_sweep(document(), "sweep#", library);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < sweep.points(); i += kStep) {
      const study::Scenario scenario =
          study::parse_scenario(*sweep::scenario_of(sweep, i), "point#", library);
      benchmark::DoNotOptimize(study::evaluate(scenario));
    }
  }
  points_per_second(state, sweep.points() / kStep);
}

BENCHMARK(swept)->Unit(benchmark::kMillisecond);
BENCHMARK(naive)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
