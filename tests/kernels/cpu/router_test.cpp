#include "kernels/cpu/router.hpp"

#include <cmath>

#include "catch.hpp"
#include "kernels/ref/gate.hpp"
#include "operands.hpp"

namespace fathom::kernels::cpu {
namespace {

using ref::Excluded;
using ref::GateSpec;
using ref::GroupScore;
using ref::ScoreFunction;

std::vector<GateSpec> specs() {
  return {
      {.num_experts_per_tok = 8,
       .n_group = 8,
       .topk_group = 4,
       .routed_scaling_factor = 2.5},                               // V3
      {.num_experts_per_tok = 6, .score = ScoreFunction::softmax},  // V2-Lite
      {.num_experts_per_tok = 6,
       .n_group = 8,
       .topk_group = 3,
       .score = ScoreFunction::softmax,
       .group_score = GroupScore::best,
       .excluded = Excluded::zero,
       .routed_scaling_factor = 16.0},  // V2
      {.num_experts_per_tok = 6, .score = ScoreFunction::sqrt_softplus, .weight_sum_floor = 1e-20},
      {.num_experts_per_tok = 1, .score = ScoreFunction::softmax, .rank_by_logits = true},
  };
}

}  // namespace

TEST_CASE("the router chooses and weighs as the reference does", "[cpu][router]") {
  const GateSpec spec = GENERATE(from_range(specs()));
  const bool biased = GENERATE(false, true);
  const bool ties = GENERATE(false, true);
  constexpr std::int64_t kTokens = 40, kExperts = 64;
  Tensor<float> logits{{kTokens, kExperts}, random_floats(kTokens * kExperts, 1, 3.0F)};
  Tensor<float> bias{{kExperts}, random_floats(kExperts, 2, 0.5F)};
  if (ties)
    for (auto* tensor : {&logits, &bias})
      for (float& value : tensor->data) value = std::nearbyint(value);
  const PackedLinear weight{.n = kExperts, .k = 1};
  RouterWorkspace workspace;
  ThreadPool pool{3, false};
  const std::int64_t choices = spec.num_experts_per_tok;
  std::vector<std::int32_t> indices(static_cast<std::size_t>(kTokens * choices), -1);
  std::vector<float> weights(indices.size(), NAN);
  route_logits({.tokens = kTokens,
                .weight = &weight,
                .bias = biased ? bias.data.data() : nullptr,
                .spec = spec,
                .indices = indices.data(),
                .weights = weights.data()},
               logits.data.data(), workspace, pool);
  const auto exact = ref::gate_topk<float>(spec, logits, biased ? bias : Tensor<float>{});
  CHECK(std::vector<std::int64_t>(indices.begin(), indices.end()) == exact.indices.data);
  CHECK(weights == exact.weights.data);
}

TEST_CASE("routing from hidden states chooses what float64 logits choose", "[cpu][router]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  constexpr std::int64_t kTokens = 30, kExperts = 64, kDim = 200;
  const GateSpec spec = specs().front();
  const auto x = random_bf16(kTokens * kDim, 3);
  const auto w = random_bf16(kExperts * kDim, 4, 0.2F);
  const std::vector<float> bias = random_floats(kExperts, 5, 0.1F);
  const PackedLinear weight = pack_linear(w.data(), kExperts, kDim);
  RouterWorkspace workspace;
  ThreadPool pool{2, false};
  std::vector<std::int32_t> indices(static_cast<std::size_t>(kTokens * spec.num_experts_per_tok));
  std::vector<float> weights(indices.size(), NAN);
  route({.x = x.data(),
         .tokens = kTokens,
         .x_stride = kDim,
         .weight = &weight,
         .bias = bias.data(),
         .spec = spec,
         .indices = indices.data(),
         .weights = weights.data()},
        workspace, isa, pool);
  const Tensor<double> exact_bias{{kExperts}, std::vector<double>(bias.begin(), bias.end())};
  const auto exact = ref::gate<double>(spec, widened(x, {kTokens, kDim}),
                                       widened(w, {kExperts, kDim}), exact_bias);
  CHECK(std::vector<std::int64_t>(indices.begin(), indices.end()) == exact.indices.data);
  CHECK(relative_error(weights, exact.weights.data) <= 1e-5);
}

}  // namespace fathom::kernels::cpu
