#include "ops/attention.hpp"

#include <algorithm>

namespace fathom::ops {

OpCost cost(const Attention& op) {
  const auto h = static_cast<double>(op.heads);
  const auto kv_h = static_cast<double>(op.kv_heads);
  const auto qk = static_cast<double>(op.qk_head_dim);
  const auto v = static_cast<double>(op.v_head_dim);
  return {
      .flops = Flops{2.0 * h * (qk + v) * op.pairs},
      .math = Math::bf16,  // FP8 caches are widened before the product in today's dense kernels
      .act_read = op.query_tokens * h * qk * size_of(Dtype::bf16),
      .act_write = op.query_tokens * h * v * size_of(Dtype::bf16),
      .kv_read = op.kv_tokens * kv_h * (qk + v) * row_size_of(op.kv),
  };
}

OpCost cost(const LatentAttention& op) {
  const auto h = static_cast<double>(op.heads);
  const auto qk = static_cast<double>(op.qk_dim);
  const auto v = static_cast<double>(op.v_dim);
  return {
      .flops = Flops{2.0 * h * (qk + v) * op.pairs},
      .math = Math::bf16,
      .act_read = op.query_tokens * h * qk * size_of(Dtype::bf16),
      .act_write = op.query_tokens * h * v * size_of(Dtype::bf16),
      .kv_read = op.kv_tokens * op.row_bytes,
      .repeated = (op.kv_distinct > 0.0 ? std::max(op.kv_tokens - op.kv_distinct, 0.0) : 0.0) *
                  op.row_bytes,
  };
}

OpCost cost(const Indexer& op) {
  const auto h = static_cast<double>(op.heads);
  const auto dim = static_cast<double>(op.head_dim);
  return {
      .flops = Flops{2.0 * h * dim * op.pairs},
      .math = op.math,
      .act_read =
          op.query_tokens * h * dim * size_of(op.math == Math::bf16 ? Dtype::bf16 : Dtype::fp8),
      // one fp32 logit per pair goes to memory and comes back for the top-k
      .act_write = op.pairs * size_of(Dtype::fp32),
      .kv_read = op.keys * op.key_bytes,
  };
}

OpCost cost(const LinearAttention& op) {
  const auto vh = static_cast<double>(op.value_heads);
  const auto kh = static_cast<double>(op.key_heads);
  const auto dk = static_cast<double>(op.key_dim);
  const auto dv = static_cast<double>(op.value_dim);
  // per token and value head: decay 1, S k 2, rank-one update 2, S q 2 operations per state element
  return {
      .flops = Flops{7.0 * op.tokens * vh * dk * dv},
      .math = Math::bf16,
      // queries, keys, values and writing strengths; decays in fp32
      .act_read = op.tokens * (2.0 * kh * dk + vh * dv + vh) * size_of(Dtype::bf16) +
                  op.tokens * vh * size_of(Dtype::fp32),
      .act_write = op.tokens * vh * dv * size_of(Dtype::bf16),
      .kv_read = op.state_passes * vh * dk * dv * size_of(op.state),
      .kv_write = op.state_passes * vh * dk * dv * size_of(op.state),
  };
}

double causal_pairs(double new_tokens, double prefix_tokens) {
  return new_tokens * prefix_tokens + new_tokens * (new_tokens + 1.0) / 2.0;
}

double capped_pairs(double new_tokens, double prefix_tokens, double cap) {
  if (cap <= 0.0) return causal_pairs(new_tokens, prefix_tokens);
  // query t (1-based) sees min(prefix + t, cap) keys: growing first, then flat
  const double growing = std::clamp(cap - prefix_tokens, 0.0, new_tokens);
  return causal_pairs(growing, prefix_tokens) + (new_tokens - growing) * cap;
}

}  // namespace fathom::ops
