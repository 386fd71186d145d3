#include "catch.hpp"
#include "proof/layer_case.hpp"
#include "proof/mtp_module.hpp"
#include "small_models.hpp"

// What is executed and what is estimated are the same list of operators.

namespace fathom::proof {
namespace {

using Names = std::vector<std::string_view>;

Names executed(const StepLog& log) {
  Names out;
  for (const Step& step : log.steps) out.insert(out.end(), step.nodes.begin(), step.nodes.end());
  return out;
}

LayerShape shape_of(const StepCase& s) {
  return {.sequences = s.sequences,
          .new_tokens = s.new_tokens,
          .max_context = s.context,
          .prefill = s.prefill};
}

Names run_layer(const model::ArchSpec& arch, int kind, const StepCase& s) {
  kernels::cpu::ThreadPool pool{1, false};
  Layer layer{arch,
              arch.kinds[static_cast<std::size_t>(kind)],
              shape_of(s),
              {kernels::cpu::Isa::portable, pool}};
  const auto size = static_cast<std::size_t>(s.sequences * s.new_tokens * arch.hidden_size);
  std::vector<float> delta(size, 1.0F);
  std::vector<float> stream(size);
  StepLog log;
  layer.run(delta.data(), stream.data(), s.context, &log);
  return executed(log);
}

const std::vector<StepCase> kSteps{{.sequences = 3, .context = 5},
                                   {.sequences = 2, .new_tokens = 2, .context = 4},
                                   {.new_tokens = 9, .prefill = true},
                                   {.new_tokens = 5, .context = 6, .prefill = true}};

}  // namespace

TEST_CASE("a layer executes the operators that the estimator counts, in their order",
          "[proof][nodes]") {
  for (const model::ArchSpec& arch :
       {test::small_v2_lite(), test::small_v3(), test::small_qwen3(), test::small_llama()})
    for (int kind = 0; kind < static_cast<int>(arch.kinds.size()); ++kind)
      for (const StepCase& step : kSteps) {
        CAPTURE(arch.name, kind, step.prefill, step.new_tokens);
        CHECK(run_layer(arch, kind, step) == layer_nodes(arch, kind, step));
      }
}

TEST_CASE("an MTP module executes the operators that the estimator counts", "[proof][nodes]") {
  const model::ArchSpec arch = test::small_v3();
  for (const StepCase& step : kSteps) {
    if (step.prefill) continue;  // drafts come with decode steps
    CAPTURE(step.new_tokens);
    kernels::cpu::ThreadPool pool{1, false};
    MtpModule module{arch, shape_of(step), {kernels::cpu::Isa::portable, pool}};
    StepLog log;
    module.run(step.context, &log);
    CHECK(executed(log) == mtp_nodes(arch, step));
  }
}

TEST_CASE("a clock times every step", "[proof][nodes]") {
  double now = 0.0;
  static double* time = nullptr;
  time = &now;
  StepLog log{.clock = [] { return *time += 1.0; }};
  step(&log, {"a", "b"}, [] {});
  step(&log, {"c"}, [&] { now += 5.0; });
  REQUIRE(log.steps.size() == 2);
  CHECK(log.steps[0].seconds == 1.0);
  CHECK(log.steps[1].seconds == 6.0);
  CHECK(executed(log) == Names{"a", "b", "c"});
}

TEST_CASE("layers, MTP modules and models run as cases", "[proof][nodes]") {
  const model::ArchSpec arch = test::small_v3();
  kernels::cpu::ThreadPool pool{1, false};
  const StepCase decode{.sequences = 2, .context = 6};
  for (const measure::KernelCase& one :
       {layer_case("v3", arch, arch.layers.back(), decode), mtp_case("v3", arch, decode),
        model_case("v3", arch, decode)}) {
    CAPTURE(one.id);
    const measure::Runnable runnable = one.prepare({kernels::cpu::Isa::portable, pool, 1});
    runnable.run();
    CHECK(runnable.error() <= one.error_bound);
    CHECK(measure::cost(one).flops.value > 0.0);
    CHECK_FALSE(runnable.cold.empty());
  }
}

}  // namespace fathom::proof
