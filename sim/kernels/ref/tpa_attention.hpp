#pragma once

#include <utility>
#include <vector>

#include "kernels/ref/tpa.hpp"

namespace fathom::kernels::ref {

/// Appends the tokens' rows [A_k | B_k | A_v | B_v] to the cache of their sequence.
template <class T, class Cache>
void append_factors(const TpaProjection<T>& p, Cache& cache) {
  for (std::int64_t s = 0; s < p.k.a.dim(0); ++s) {
    std::vector<T> row;
    for (const Tensor<T>* part : {&p.k.a, &p.k.b, &p.v.a, &p.v.b}) {
      row.insert(row.end(), part->slice(s).begin(), part->slice(s).end());
    }
    cache.append(row);
  }
}

/// Keys and values per head, as rebuilt from a factor cache.
template <class T>
struct TpaKv {
  Tensor<T> keys;    // [positions, heads, head_dim]
  Tensor<T> values;  // [positions, heads, head_dim]
};

template <class T, class Cache>
TpaKv<T> tpa_expand(const TpaSpec& spec, const Cache& cache) {
  const std::int64_t positions = cache.length();
  const auto part = [&](std::int64_t first, std::int64_t outer, std::int64_t inner) {
    Tensor<T> out{{positions, outer, inner}};
    for (std::int64_t t = 0; t < positions; ++t) {
      const auto from = cache.row(t).subspan(static_cast<std::size_t>(first),
                                             static_cast<std::size_t>(outer * inner));
      std::ranges::copy(from, out.slice(t).begin());
    }
    return out;
  };
  const std::int64_t b_k = spec.heads * spec.k_rank;
  const std::int64_t a_v = b_k + spec.k_rank * spec.head_dim;
  const std::int64_t b_v = a_v + spec.heads * spec.v_rank;
  const Factors<T> k{.a = part(0, spec.heads, spec.k_rank),
                     .b = part(b_k, spec.k_rank, spec.head_dim)};
  const Factors<T> v{.a = part(a_v, spec.heads, spec.v_rank),
                     .b = part(b_v, spec.v_rank, spec.head_dim)};
  return {.keys = factor_product(k), .values = factor_product(v)};
}

/// What a TPA layer computed for new tokens.
template <class T>
struct TpaTrace {
  TpaKv<T> kv;
  AttentionTrace<T> attention;
  Tensor<T> out;  // [tokens, dim]
};

/// Appends the tokens' factors and attends to all of the cache: prefill, chunk or decode.
template <class T, class Cache>
TpaTrace<T> tpa_step(const TpaSpec& spec, const TpaWeights<T>& w, const TpaProjection<T>& p,
                     Cache& cache) {
  append_factors(p, cache);
  const std::int64_t tokens = p.q.dim(0);
  const AttentionSpec core{.heads = spec.heads,
                           .kv_heads = spec.heads,
                           .v_head_dim = spec.head_dim,
                           .softmax_scale = spec.softmax_scale,
                           .visible = {.keys = cache.length(), .prefix = cache.length() - tokens}};
  TpaTrace<T> trace;
  trace.kv = tpa_expand<T>(spec, cache);
  trace.attention = attention<T>(core, p.q, head_rows(trace.kv.keys), head_rows(trace.kv.values));
  const Shape flat{tokens, spec.heads * spec.head_dim};
  trace.out = linear(trace.attention.out.reshaped(flat), w.wo);
  return trace;
}

}  // namespace fathom::kernels::ref
