#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/ref/named_linear.hpp"
#include "kernels/ref/top_k.hpp"
#include "kernels/ref/v4_entries.hpp"

namespace fathom::kernels::ref {

/// What the indexer of a CSA layer computes for some tokens.
template <class T>
struct V4Selection {
  Tensor<T> q;        // [tokens, index_n_heads, index_head_dim]
  Tensor<T> weights;  // [tokens, index_n_heads]
  Tensor<T> scores;   // [tokens, blocks], -infinity where a block is not complete yet
  Indices blocks;     // [tokens, min(index_topk, blocks)], best first, -1: none
};

/// Compressed blocks of `ratio` tokens that are complete as seen from `position`.
inline std::int64_t visible_blocks(std::int64_t position, std::int64_t ratio) {
  return (position + 1) / ratio;
}

/// I(t, b) = sum over heads of weights[t, h] relu(q[t, h] · keys[b]), only for the first visible[t]
/// blocks of each token; keys [blocks, index_head_dim] -> [tokens, blocks].
template <class T>
Tensor<T> v4_index_scores(const Tensor<T>& q, const Tensor<T>& weights, const Tensor<T>& keys,
                          const std::vector<std::int64_t>& visible) {
  const std::int64_t heads = q.dim(1);
  Tensor<T> scores{Shape{q.dim(0), keys.dim(0)}};
  std::ranges::fill(scores.data, T(-std::numeric_limits<double>::infinity()));
  for (std::int64_t t = 0; t < q.dim(0); ++t) {
    for (std::int64_t b = 0; b < visible[static_cast<std::size_t>(t)]; ++b) {
      Sum<T> sum{0};
      for (std::int64_t h = 0; h < heads; ++h) {
        const T product = dot<T>(q.row(t * heads + h), keys.row(b));
        if (product > T{0}) {
          sum += static_cast<Sum<T>>(product) * static_cast<Sum<T>>(weights[t * heads + h]);
        }
      }
      scores[t * keys.dim(0) + b] = static_cast<T>(sum);
    }
  }
  return scores;
}

/// The best index_topk blocks of each token, best first; -1 in place of incomplete ones.
template <class T>
Indices v4_select(const Tensor<T>& scores, std::int64_t index_topk,
                  const std::vector<std::int64_t>& visible) {
  const std::int64_t k = std::min(index_topk, scores.dim(1));
  Indices blocks{Shape{scores.dim(0), k}};
  for (std::int64_t t = 0; t < scores.dim(0); ++t) {
    const auto best = top_indices<T>(scores.row(t), k);
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t block = best[static_cast<std::size_t>(i)];
      blocks[t * k + i] = block < visible[static_cast<std::size_t>(t)] ? block : -1;
    }
  }
  return blocks;
}

/// New tokens of a CSA layer as the indexer sees them.
template <class T>
struct V4Step {
  const Tensor<T>& x;           // [tokens, dim]
  const Tensor<T>& q_latent;    // [tokens, q_lora_rank], normalised
  const RopeTables<T>& tables;  // of the tokens' positions
  std::int64_t start_pos = 0;
};

/// Compresses the tokens' index keys into the cache.
template <class T>
void v4_index_keys(const V4AttentionSpec& spec, const V4IndexerWeights<T>& w, const V4Step<T>& step,
                   V4LayerCache<T>& cache) {
  const CompressorInput<T> in{
      .kv = linear("indexer.compressor.wkv", step.x, w.compressor.wkv),
      .score = linear("indexer.compressor.wgate", step.x, w.compressor.wgate)};
  Tensor<T> keys = compress(w.compressor, in, step.start_pos, cache.index_compressor);
  const std::int64_t end_pos = step.start_pos + step.x.dim(0);
  norm_and_rotate(spec, w.compressor.norm_weight,
                  block_tables<T>(spec, w.compressor.ratio(), step.start_pos, end_pos), keys);
  finish_index_rows(spec, keys);
  append_rows(cache.index_keys, keys);
}

/// Which compressed blocks each token reads (V4 report, arXiv 2606.19348; inference/model.py,
/// Indexer.forward).
template <class T>
V4Selection<T> v4_index(const V4AttentionSpec& spec, const V4IndexerWeights<T>& w,
                        const V4Step<T>& step, V4LayerCache<T>& cache) {
  const std::int64_t tokens = step.x.dim(0);
  V4Selection<T> out;
  out.q = linear("indexer.wq_b", step.q_latent, w.wq_b)
              .reshaped({tokens, spec.index_n_heads, spec.index_head_dim});
  rotate_tail(out.q, step.tables, RopeLayout::interleaved);
  finish_index_rows(spec, out.q);
  v4_index_keys(spec, w, step, cache);
  out.weights = linear("indexer.weights_proj", step.x, w.weights_proj);
  const double scale =
      1.0 / std::sqrt(static_cast<double>(spec.index_head_dim * spec.index_n_heads));
  for (T& v : out.weights.data) v *= T(scale);
  std::vector<std::int64_t> visible;
  for (std::int64_t t = 0; t < tokens; ++t) {
    visible.push_back(visible_blocks(step.start_pos + t, w.compressor.ratio()));
  }
  {
    const OpScope scope{"indexer.scores"};
    out.scores = v4_index_scores(out.q, out.weights, cache.index_keys, visible);
  }
  const OpScope scope{"indexer.topk"};
  out.blocks = v4_select(out.scores, spec.index_topk, visible);
  return out;
}

}  // namespace fathom::kernels::ref
