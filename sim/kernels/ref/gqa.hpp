#pragma once

#include <algorithm>

#include "kernels/ref/attention.hpp"
#include "kernels/ref/rope.hpp"

namespace fathom::kernels::ref {

/// Grouped-query attention (arXiv 2305.13245); MHA and MQA are its ends.
struct GqaSpec {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  double softmax_scale = 1.0;
  RopeLayout rope = RopeLayout::half;
  std::int64_t window = 0;  // newest positions seen; 0: all
};

/// Projections, all [out, in].
template <class T>
struct GqaWeights {
  Tensor<T> wq;  // [heads * head_dim, dim]
  Tensor<T> wk;  // [kv_heads * head_dim, dim]
  Tensor<T> wv;  // [kv_heads * head_dim, dim]
  Tensor<T> wo;  // [dim, heads * head_dim]
};

/// Rotated queries and keys, and values, of new tokens.
template <class T>
struct GqaProjection {
  Tensor<T> q;  // [tokens, heads, head_dim]
  Tensor<T> k;  // [tokens, kv_heads, head_dim]
  Tensor<T> v;  // [tokens, kv_heads, head_dim]
};

/// x [tokens, dim], tables of the tokens' positions.
template <class T>
GqaProjection<T> gqa_project(const GqaSpec& spec, const GqaWeights<T>& w, const Tensor<T>& x,
                             const RopeTables<T>& tables) {
  const std::int64_t tokens = x.dim(0);
  const Shape kv_shape{tokens, spec.kv_heads, spec.head_dim};
  const Tensor<T> q = linear(x, w.wq).reshaped({tokens, spec.heads, spec.head_dim});
  const Tensor<T> k = linear(x, w.wk).reshaped(kv_shape);
  return {.q = apply_rope(q, tables, spec.rope),
          .k = apply_rope(k, tables, spec.rope),
          .v = linear(x, w.wv).reshaped(kv_shape)};
}

/// What a GQA layer computed for new tokens.
template <class T>
struct GqaTrace {
  GqaProjection<T> projection;
  AttentionTrace<T> attention;
  Tensor<T> out;  // [tokens, dim]
};

/// Appends the tokens' rows [keys | values] (2 kv_heads head_dim wide) to the cache of their
/// sequence and attends to all of it: prefill, a chunk after a prefix, or decode.
template <class T, class Cache>
GqaTrace<T> gqa_step(const GqaSpec& spec, const GqaWeights<T>& w, GqaProjection<T> projection,
                     Cache& cache) {
  const std::int64_t tokens = projection.q.dim(0);
  const std::int64_t width = spec.kv_heads * spec.head_dim;
  for (std::int64_t s = 0; s < tokens; ++s) {
    std::vector<T> row(projection.k.slice(s).begin(), projection.k.slice(s).end());
    row.insert(row.end(), projection.v.slice(s).begin(), projection.v.slice(s).end());
    cache.append(row);
  }
  const AttentionSpec core{
      .heads = spec.heads,
      .kv_heads = spec.kv_heads,
      .v_head_dim = spec.head_dim,
      .softmax_scale = spec.softmax_scale,
      .visible = {
          .keys = cache.length(), .prefix = cache.length() - tokens, .window = spec.window}};
  GqaTrace<T> trace;
  trace.attention = attention<T>(core, projection.q, head_rows(cache, 0, spec.head_dim),
                                 head_rows(cache, width, spec.head_dim));
  const Shape flat{tokens, spec.heads * spec.head_dim};
  trace.out = linear(trace.attention.out.reshaped(flat), w.wo);
  trace.projection = std::move(projection);
  return trace;
}

}  // namespace fathom::kernels::ref
