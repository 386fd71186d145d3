#include <cmath>

#include "catch.hpp"
#include "kernels/cpu/isa.hpp"
#include "measure/baselines.hpp"
#include "measure/cases.hpp"

// Every kernel that is ever timed, at a small size: right on every instruction set, and noticed
// when it is not.

namespace fathom::measure {
namespace {

std::vector<KernelCase> small_cases() {
  const ExpertsShape experts{
      .tokens = 5, .experts = 6, .choices = 2, .dim = 96, .inter = 64, .zipf = 1.0};
  ExpertsShape prefill = experts;
  prefill.tokens = 70;
  prefill.prefill = true;
  ExpertsShape dense = experts;
  dense.experts = dense.choices = 1;
  const AttentionShape gqa{.sequences = 2,
                           .context_tokens = 150,
                           .heads = 8,
                           .kv_heads = 2,
                           .qk_head_dim = 64,
                           .v_head_dim = 64};
  AttentionShape fresh = gqa;
  fresh.query_tokens = 75;
  fresh.context_tokens = 0;
  AttentionShape chunk = fresh;
  chunk.context_tokens = 40;
  const AttentionShape naive{.query_tokens = 65,
                             .heads = 4,
                             .kv_heads = 4,
                             .qk_head_dim = 96,
                             .v_head_dim = 64,
                             .naive_mla = true};
  return {linear_case(1, 100, 128),
          linear_case(37, 80, 96),
          linear_case(5, 48, 64, 3),
          experts_case(experts),
          experts_case(prefill),
          experts_case(dense),
          mla_decode_case({.sequences = 2, .context_tokens = 130, .heads = 16}),
          mla_decode_case({.query_tokens = 2,
                           .context_tokens = 90,
                           .heads = 4,
                           .kv_lora_rank = 128,
                           .qk_rope_head_dim = 32}),
          gqa_decode_case(gqa),
          prefill_case(fresh),
          prefill_case(chunk),
          prefill_case(naive),
          indexer_case({.sequences = 2, .keys = 200, .heads = 8, .head_dim = 64, .topk = 32}),
          norm_case(3, 200),
          rope_case(5, 3, 32),
          activation_case(3, 130),
          quantise_case(3, 300),
          router_case(9, 16, 3),
          embedding_case(7, 100)};
}

}  // namespace

TEST_CASE("every kernel is as accurate as it states", "[measure][cases]") {
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  const int threads = GENERATE(1, 2);
  kernels::cpu::ThreadPool pool{threads, false};
  const Bench bench{isa, pool, 3};
  for (const KernelCase& one : small_cases()) {
    CAPTURE(one.id, name(isa), threads);
    const Runnable runnable = one.prepare(bench);
    runnable.run();
    CHECK(runnable.error() <= one.error_bound);
  }
}

TEST_CASE("a kernel that does nothing is noticed", "[measure][cases]") {
  kernels::cpu::ThreadPool pool{1, false};
  for (const KernelCase& one : small_cases()) {
    CAPTURE(one.id);
    const double error = one.prepare({kernels::cpu::Isa::portable, pool, 3}).error();
    // rope turns its operand in place: there is nothing to poison, but nothing has turned either
    if (one.group == "rope") {
      CHECK(error > one.error_bound);
    } else {
      CHECK(std::isinf(error));
    }
  }
}

TEST_CASE("libraries compute beside one thread only", "[measure][baselines]") {
  kernels::cpu::ThreadPool one{1, false};
  kernels::cpu::ThreadPool two{2, false};
  const Bench alone{kernels::cpu::Isa::portable, one};
  const Bench together{kernels::cpu::Isa::portable, two};
  const auto linear = linear_baselines(3, 40, 50, alone);
  REQUIRE_FALSE(linear.empty());
  for (const Baseline& library : linear) library.run();
  const auto decode = mla_decode_baselines(4, 33, 24, 16, alone);
  REQUIRE_FALSE(decode.empty());
  for (const Baseline& library : decode) library.run();
  CHECK(linear_baselines(3, 40, 50, together).empty());
  CHECK(mla_decode_baselines(4, 33, 24, 16, together).empty());
}

TEST_CASE("Eigen is always among the libraries, once", "[measure][baselines]") {
  int eigen = 0;
  for (const std::string& library : baseline_libraries())
    eigen += library.starts_with("Eigen fp32") ? 1 : 0;
  CHECK(eigen == 1);
}

}  // namespace fathom::measure
