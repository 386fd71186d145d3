// How long one inference point takes once its StepModel exists. Each iteration changes the batch,
// so nothing can be remembered. Reported for peers, not measured here: aiconfigurator's warm step
// 19 us, InferSim 2 ms per prefill + decode point.

#include <benchmark/benchmark.h>

#include "hw/cluster.hpp"
#include "infer/serving_point.hpp"
#include "model/hf_config.hpp"

namespace {

using namespace fathom;

infer::StepModel prepare(const char* model_name, const char* hardware, const mapping::Plan& plan) {
  model::Model model = model::load_model(model_name);
  model::LowerOptions options;
  options.precision = model::default_precision(model.arch);
  return infer::make_step_model(std::move(model.arch), hw::load_cluster(hardware), plan, options);
}

void decode_points(benchmark::State& state, infer::StepModel model, double replicas) {
  double batch = 16.0;
  for (auto _ : state) {
    batch = batch >= 256.0 ? 16.0 : batch + 1.0;
    benchmark::DoNotOptimize(
        infer::decode(model, {.sequences = batch * replicas, .context_tokens = 4096.0}));
  }
  state.counters["points_per_s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void deepseek_v3_decode_two_batches(benchmark::State& state) {
  decode_points(state,
                prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128, .two_batch_overlap = true}),
                128.0);
}
void deepseek_v3_decode_one_batch(benchmark::State& state) {
  decode_points(state, prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128}), 128.0);
}
// The same point when everything is prepared anew: what keeping a StepModel is worth.
void deepseek_v3_decode_unprepared(benchmark::State& state) {
  const infer::StepModel once = prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128});
  for (auto _ : state) {
    infer::StepModel model =
        infer::make_step_model(once.arch, once.cluster, once.plan, once.options);
    benchmark::DoNotOptimize(
        infer::decode(model, {.sequences = 64.0 * 128.0, .context_tokens = 4096.0}));
  }
}
void deepseek_v4_pro_decode(benchmark::State& state) {
  decode_points(state, prepare("deepseek-v4-pro", "b200", {.ep = 64, .dp = 64}), 64.0);
}
void llama_70b_decode_tp8(benchmark::State& state) {
  decode_points(state, prepare("llama-3.1-70b", "h100-sxm", {.tp = 8}), 1.0);
}

void deepseek_v3_prefill_two_batches(benchmark::State& state) {
  infer::StepModel model =
      prepare("deepseek-v3", "h800", {.ep = 32, .dp = 32, .two_batch_overlap = true});
  double length = 1024.0;
  for (auto _ : state) {
    length = length >= 8192.0 ? 1024.0 : length + 64.0;
    benchmark::DoNotOptimize(infer::prefill(model, {.prompts = 64.0, .prompt_tokens = length}));
  }
}

BENCHMARK(deepseek_v3_decode_two_batches)->Unit(benchmark::kMicrosecond);
BENCHMARK(deepseek_v3_decode_one_batch)->Unit(benchmark::kMicrosecond);
BENCHMARK(deepseek_v3_decode_unprepared)->Unit(benchmark::kMicrosecond);
BENCHMARK(deepseek_v4_pro_decode)->Unit(benchmark::kMicrosecond);
BENCHMARK(llama_70b_decode_tp8)->Unit(benchmark::kMicrosecond);
BENCHMARK(deepseek_v3_prefill_two_batches)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
