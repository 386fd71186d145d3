#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/linear.hpp"
#include "kernels/ref/gate_spec.hpp"

namespace fathom::kernels::cpu {

/// Choosing experts from logits [tokens, experts]: scores (softmax, sigmoid, sqrt-softplus), the
/// bias for choosing only, groups, top-k, renormalisation and scaling as ref::gate_topk defines
/// them; among equals the lowest index wins. Everything in fp32.
struct RouterCall {
  const Bf16* x = nullptr;  // [tokens, dim]
  std::int64_t tokens = 0;
  std::int64_t x_stride = 0;
  const PackedLinear* weight = nullptr;  // [experts, dim], bf16 as the checkpoints of V2 and V3
  const float* bias = nullptr;           // [experts]: e_score_correction_bias; may be null
  ref::GateSpec spec;
  std::int32_t* indices = nullptr;  // [tokens, num_experts_per_tok], best first
  float* weights = nullptr;         // like indices
};

/// Grows to the largest call, then no call allocates.
struct RouterWorkspace {
  explicit RouterWorkspace(int workers = 1)
      : linear(workers), ranking(static_cast<std::size_t>(workers)) {}
  LinearWorkspace linear;
  Buffer<float> logits;                // [tokens, experts]
  std::vector<Buffer<float>> ranking;  // per worker: scores, ranking values, group scores
};

/// x w^T by `linear`, then route_logits. Tokens are split over the pool.
void route(const RouterCall& call, RouterWorkspace& workspace, Isa isa, ThreadPool& pool);
/// The choice alone, from logits [tokens, experts]: `x` and `weight` are ignored but for weight->n.
/// FATHOM_EXPECT: at most 4096 experts, at most 64 choices, groups of equal size.
void route_logits(const RouterCall& call, const float* logits, RouterWorkspace& workspace,
                  ThreadPool& pool);

}  // namespace fathom::kernels::cpu
