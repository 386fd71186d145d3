#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "kernels/ref/linear.hpp"
#include "kernels/ref/trace.hpp"

namespace fathom::kernels::ref {

/// Which of `keys` cached positions the query at position prefix + i sees.
struct KeyVisibility {
  std::int64_t keys = 0;    // cached positions, those of the queries included
  std::int64_t prefix = 0;  // positions cached before the first query
  bool causal = true;
  std::int64_t window = 0;           // newest positions seen, the query's own included; 0: all
  const Indices* allowed = nullptr;  // [queries, keys], nonzero where allowed; null: everywhere
};

inline std::vector<std::int64_t> visible_keys(const KeyVisibility& v, std::int64_t query) {
  const std::int64_t position = v.prefix + query;
  const std::int64_t end = v.causal ? std::min(position + 1, v.keys) : v.keys;
  const std::int64_t begin =
      v.window > 0 ? std::max(position + 1 - v.window, std::int64_t{0}) : std::int64_t{0};
  std::vector<std::int64_t> seen;
  for (std::int64_t t = begin; t < end; ++t) {
    if (v.allowed == nullptr || (*v.allowed)[query * v.keys + t] != 0) seen.push_back(t);
  }
  return seen;
}

/// Softmax attention of one sequence. kv_heads = heads is MHA, 1 is MQA, between them GQA; MLA in
/// absorbed form is MQA over latents.
struct AttentionSpec {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t v_head_dim = 0;
  double softmax_scale = 1.0;
  KeyVisibility visible;

  std::int64_t kv_head(std::int64_t head) const { return head / (heads / kv_heads); }
};

// Keys and values are given as functions (position, kv_head) -> row, so that one core serves every
// cache. No score is computed and no row read for a pair that is not visible.

/// Rows of a tensor [positions, kv_heads, dim].
template <class T>
auto head_rows(const Tensor<T>& x) {
  return [&x](std::int64_t position, std::int64_t kv_head) {
    return x.row(position * x.dim(1) + kv_head);
  };
}

/// Rows of a cache whose row holds, from element `first` on, `dim` elements per KV head.
template <class Cache>
auto head_rows(const Cache& cache, std::int64_t first, std::int64_t dim) {
  return [&cache, first, dim](std::int64_t position, std::int64_t kv_head) {
    return cache.row(position).subspan(static_cast<std::size_t>(first + kv_head * dim),
                                       static_cast<std::size_t>(dim));
  };
}

/// softmax_scale * q . k [queries, heads, keys] of q [queries, heads, qk_head_dim]; -infinity where
/// not visible.
template <class T, class Keys>
Tensor<T> attention_scores(const AttentionSpec& spec, const Tensor<T>& q, const Keys& keys) {
  Tensor<T> scores{{q.dim(0), spec.heads, spec.visible.keys}};
  std::ranges::fill(scores.data, T(-std::numeric_limits<double>::infinity()));
  for (std::int64_t s = 0; s < q.dim(0); ++s) {
    for (const std::int64_t t : visible_keys(spec.visible, s)) {
      for (std::int64_t h = 0; h < spec.heads; ++h) {
        const std::int64_t row = s * spec.heads + h;
        scores[row * spec.visible.keys + t] =
            dot<T>(q.row(row), keys(t, spec.kv_head(h))) * T(spec.softmax_scale);
      }
    }
  }
  return scores;
}

/// Softmax over the keys. `sinks` [heads], when not empty, are logits that take part in the
/// denominator only (StreamingLLM arXiv 2309.17453 in learned form; DeepSeek-V4 attn_sink).
template <class T>
Tensor<T> attention_probs(Tensor<T> scores, const Tensor<T>& sinks = {}) {
  for (std::int64_t r = 0; r < scores.rows(); ++r) {
    softmax<T>(scores.row(r), sinks.empty() ? nullptr : &sinks[r % sinks.size()]);
  }
  return scores;
}

/// sum_t p_t v_t [queries, heads, v_head_dim] of probs [queries, heads, keys].
template <class T, class Values>
Tensor<T> attention_output(const AttentionSpec& spec, const Tensor<T>& probs,
                           const Values& values) {
  Tensor<T> out{{probs.dim(0), spec.heads, spec.v_head_dim}};
  for (std::int64_t s = 0; s < probs.dim(0); ++s) {
    const auto seen = visible_keys(spec.visible, s);
    for (std::int64_t h = 0; h < spec.heads; ++h) {
      const std::int64_t row = s * spec.heads + h;
      std::vector<Sum<T>> sum(static_cast<std::size_t>(spec.v_head_dim), Sum<T>{0});
      for (const std::int64_t t : seen) {
        const auto value = values(t, spec.kv_head(h));
        const T& p = probs[row * spec.visible.keys + t];
        for (std::size_t d = 0; d < sum.size(); ++d) multiply_add<T>(sum[d], p, value[d]);
      }
      std::ranges::transform(sum, out.row(row).begin(),
                             [](const Sum<T>& x) { return static_cast<T>(x); });
    }
  }
  return out;
}

/// What an attention core computed.
template <class T>
struct AttentionTrace {
  Tensor<T> scores;  // [queries, heads, keys], scaled, -infinity where not visible
  Tensor<T> probs;   // after the softmax
  Tensor<T> out;     // [queries, heads, v_head_dim]
};

/// softmax(scale q K^T) V (arXiv 1706.03762, equation 1) over the visible keys:
/// heads (qk_head_dim + v_head_dim) multiply-adds per visible pair.
template <class T, class Keys, class Values>
AttentionTrace<T> attention(const AttentionSpec& spec, const Tensor<T>& q, const Keys& keys,
                            const Values& values, const Tensor<T>& sinks = {}) {
  FATHOM_EXPECT(spec.kv_heads > 0 && spec.heads % spec.kv_heads == 0,
                "KV heads must divide the heads");
  const OpScope scope{"attention_core"};
  AttentionTrace<T> trace;
  trace.scores = attention_scores(spec, q, keys);
  trace.probs = attention_probs(trace.scores, sinks);
  trace.out = attention_output(spec, trace.probs, values);
  return trace;
}

}  // namespace fathom::kernels::ref
