#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "kernels/ref/attention.hpp"
#include "kernels/ref/indexer.hpp"
#include "kernels/ref/top_k.hpp"

namespace fathom::kernels::ref {

/// Index scores [tokens, keys] of the projected tokens, whose keys are the newest of `cache`:
/// I(t, s) = sum_h w(t, h) ReLU(q(t, h) . k(s)) (V3.2-Exp report, equation 1), -infinity for later
/// keys. heads * head_dim multiply-adds per visible pair; the sum over heads is pointwise.
template <class T, class Cache>
Tensor<T> indexer_scores(const IndexerSpec& spec, const IndexerProjection<T>& p,
                         const Cache& cache) {
  const OpScope scope{"indexer.scores"};
  const std::int64_t tokens = p.q.dim(0);
  const auto dim = static_cast<std::size_t>(spec.head_dim);
  const KeyVisibility visible{.keys = cache.length(), .prefix = cache.length() - tokens};
  Tensor<T> scores{{tokens, visible.keys}};
  std::ranges::fill(scores.data, T(-std::numeric_limits<double>::infinity()));
  for (std::int64_t s = 0; s < tokens; ++s) {
    for (const std::int64_t t : visible_keys(visible, s)) {
      const std::span<const T> key = cache.row(t);
      Sum<T> sum{0};
      for (std::int64_t r = s * spec.heads; r < (s + 1) * spec.heads; ++r) {
        const T logit = dot<T>(p.queries.elements.row(r), key.first(dim));
        if (logit > T(0.0)) sum += static_cast<Sum<T>>(logit * p.weights[r]);
      }
      const T scale = spec.format ? key[dim] : T(1.0);
      scores[s * visible.keys + t] = static_cast<T>(sum) * scale;
    }
  }
  return scores;
}

/// The keys that each query attends to.
struct KeySelection {
  Indices topk;     // [tokens, min(topk, keys)], best first, -1 where fewer keys are visible
  Indices allowed;  // [tokens, keys], 1 where selected
};

/// The `topk` best of each row of scores [tokens, keys]; -infinity is never selected.
template <class T>
KeySelection select_keys(const Tensor<T>& scores, std::int64_t topk) {
  const std::int64_t width = std::min(topk, scores.dim(1));
  const T never = T(-std::numeric_limits<double>::infinity());
  KeySelection selection{.topk = Indices{{scores.dim(0), width}}, .allowed = Indices{scores.shape}};
  for (std::int64_t s = 0; s < scores.dim(0); ++s) {
    const auto best = top_indices<T>(scores.row(s), width);
    for (std::int64_t i = 0; i < width; ++i) {
      const std::int64_t key = best[static_cast<std::size_t>(i)];
      const bool visible = scores[s * scores.dim(1) + key] > never;
      selection.topk[s * width + i] = visible ? key : -1;
      if (visible) selection.allowed[s * scores.dim(1) + key] = 1;
    }
  }
  return selection;
}

}  // namespace fathom::kernels::ref
