// The fast kernels on every instruction set that is here: one thread, checked before they are
// timed, weights and caches dropped from the CPU's caches before each call. Beside the rates stand
// the ceilings of the same run (multiply-adds or AMX from L2; eight read streams), because a shared
// machine is another machine a minute later. For pairs round by round: `fathom measure`.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "measure/cases.hpp"
#include "measure/ceilings.hpp"
#include "measure/run.hpp"

namespace {

using namespace fathom;
using kernels::cpu::Isa;

kernels::cpu::ThreadPool& pool() {
  static kernels::cpu::ThreadPool one{1};
  return one;
}

struct Ceilings {
  double compute = 0.0;
  double memory = 0.0;
};

Ceilings read_ceilings(Isa isa) {
  measure::CeilingProbe probe{isa, pool(), measure::dram_buffer_bytes(measure::this_machine())};
  constexpr int kReadings = 5;
  std::vector<double> compute, memory;
  for (int i = 0; i < kReadings; ++i) {
    compute.push_back(probe.compute_burst());
    memory.push_back(probe.memory_burst());
  }
  return {measure::summarize(compute).median, measure::summarize(memory).median};
}

void time_kernel(benchmark::State& state, const measure::KernelCase& kernel, Isa isa) {
  const measure::Runnable runnable = kernel.prepare({isa, pool()});
  runnable.run();
  if (runnable.error() > kernel.error_bound)
    return state.SkipWithError("less accurate than it states");
  const measure::Clock clock = measure::clock_for(pool().size());
  const double overhead = measure::clock_overhead(clock);
  const Ceilings before = read_ceilings(isa);
  double seconds = 0.0;
  for (auto _ : state) {
    measure::flush(runnable.cold);
    const double start = clock();
    runnable.run();
    const double time = std::max(clock() - start - overhead, 1e-9);
    seconds += time;
    state.SetIterationTime(time);
  }
  const Ceilings after = read_ceilings(isa);
  const ops::OpCost cost = measure::cost(kernel);
  const double calls = static_cast<double>(state.iterations());
  const double compute = 0.5 * (before.compute + after.compute);
  const double memory = 0.5 * (before.memory + after.memory);
  const double flops = cost.flops.value * calls / seconds;
  const double bytes = ops::traffic(cost).value * calls / seconds;
  state.counters["FLOP/s"] = flops;
  state.counters["of_FLOP/s"] = compute;
  state.counters["B/s"] = bytes;
  state.counters["of_B/s"] = memory;
  state.counters["of_roofline"] = std::max(flops / compute, bytes / memory);
}

// Projections and experts of DeepSeek-V2-Lite, its 16 and DeepSeek-V3's 128 heads, Llama's 32.
std::vector<measure::KernelCase> cases() {
  std::vector<measure::KernelCase> out;
  for (const std::int64_t rows : {1, 16, 256})
    out.push_back(measure::linear_case(rows, 2816, 2048));
  measure::ExpertsShape experts{
      .tokens = 16, .experts = 16, .choices = 6, .dim = 2048, .inter = 1408, .zipf = 1.0};
  out.push_back(measure::experts_case(experts));
  experts.tokens = 256;
  experts.prefill = true;
  out.push_back(measure::experts_case(experts));
  for (const std::int64_t heads : {16, 128})
    out.push_back(measure::mla_decode_case({.context_tokens = 4096, .heads = heads}));
  out.push_back(measure::prefill_case({.query_tokens = 512}));
  out.push_back(measure::gqa_decode_case({.context_tokens = 8191}));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  for (const measure::KernelCase& kernel : cases())
    for (const Isa isa : kernels::cpu::supported_isas())
      benchmark::RegisterBenchmark(
          (kernel.id + "/" + std::string{kernels::cpu::name(isa)}).c_str(),
          [kernel, isa](benchmark::State& state) { time_kernel(state, kernel, isa); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
