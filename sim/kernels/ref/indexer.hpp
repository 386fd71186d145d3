#pragma once

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ref/block_quant.hpp"
#include "kernels/ref/hadamard.hpp"
#include "kernels/ref/named_linear.hpp"
#include "kernels/ref/norm.hpp"
#include "kernels/ref/rope.hpp"

namespace fathom::kernels::ref {

/// Lightning indexer of DeepSeek sparse attention (V3.2-Exp report, section 2; V3.2-Exp
/// inference/model.py, Indexer).
struct IndexerSpec {
  std::int64_t heads = 0;     // index_n_heads
  std::int64_t head_dim = 0;  // index_head_dim
  std::int64_t topk = 0;      // index_topk
  double norm_eps = 1e-6;
  RopeLayout rope = RopeLayout::interleaved;
  std::optional<BlockFormat> format;  // of queries and keys when they meet; nothing: as computed

  /// Elements of one cached key: with its scale when it is quantised.
  std::int64_t row_width() const { return head_dim + (format ? 1 : 0); }
};

/// Weights under the names of inference/model.py, projections [out, in].
template <class T>
struct IndexerWeights {
  Tensor<T> wq_b;          // [heads * head_dim, q_lora_rank]
  Tensor<T> wk;            // [head_dim, dim]
  Tensor<T> k_norm;        // [head_dim], LayerNorm
  Tensor<T> k_norm_bias;   // [head_dim]
  Tensor<T> weights_proj;  // [heads, dim]
};

/// From tensors named "wq_b.weight" and so on; names not present stay empty, others are ignored.
template <class T>
IndexerWeights<T> indexer_weights(std::map<std::string, Tensor<T>> named) {
  const auto take = [&named](const char* name) {
    const auto found = named.find(name);
    return found == named.end() ? Tensor<T>{} : std::move(found->second);
  };
  return {.wq_b = take("wq_b.weight"),
          .wk = take("wk.weight"),
          .k_norm = take("k_norm.weight"),
          .k_norm_bias = take("k_norm.bias"),
          .weights_proj = take("weights_proj.weight")};
}

/// Rows as they meet in the index score: elements, and a scale per row that multiplies them.
template <class T>
struct IndexRows {
  Tensor<T> elements;  // [..., head_dim]
  Tensor<T> scale;     // [..., 1]
};

/// What new tokens contribute.
template <class T>
struct IndexerProjection {
  Tensor<T> q;           // [tokens, heads, head_dim], rotated, after the Hadamard transform
  Tensor<T> k;           // [tokens, head_dim], normed, rotated, transformed
  IndexRows<T> queries;  // of q
  IndexRows<T> keys;     // of k: what is cached
  Tensor<T> weights;     // [tokens, heads], with heads^-0.5 head_dim^-0.5 and the query's scale
};

/// `x` in the format with one scale per row, or unchanged under scales of one.
template <class T>
IndexRows<T> index_rows(const Tensor<T>& x, const std::optional<BlockFormat>& format) {
  Shape shape = x.shape;
  shape.back() = 1;
  if (!format)
    return {.elements = x,
            .scale = converted<T>(Tensor<float>{
                shape, std::vector<float>(static_cast<std::size_t>(x.rows()), 1.0F)})};
  FATHOM_EXPECT(format->rows == 1 && x.dim(-1) <= format->cols, "index rows have one scale each");
  const Quantised q = quantise(x, *format);
  return {.elements = elements<T>(q), .scale = converted<T>(q.scales)};
}

/// Queries from the normed query latent of MLA, keys and head weights from the layer's input. The
/// rotated part comes first in a head, unlike in MLA.
/// q_latent [tokens, q_lora_rank], x [tokens, dim], tables of the tokens' positions.
template <class T>
IndexerProjection<T> indexer_project(const IndexerSpec& spec, const IndexerWeights<T>& w,
                                     const Tensor<T>& q_latent, const Tensor<T>& x,
                                     const RopeTables<T>& tables) {
  const std::int64_t tokens = x.dim(0);
  const Shape head_shape{tokens, spec.heads, spec.head_dim};
  const Shape key_shape{tokens, 1, spec.head_dim};
  IndexerProjection<T> p;
  const Tensor<T> q = linear("indexer.wq_b", q_latent, w.wq_b).reshaped(head_shape);
  p.q = hadamard<T>(apply_rope(q, tables, spec.rope));
  const Tensor<T> k =
      layer_norm<T>(linear("indexer.wk", x, w.wk), w.k_norm, w.k_norm_bias, spec.norm_eps);
  p.k = hadamard<T>(apply_rope(k.reshaped(key_shape), tables, spec.rope))
            .reshaped({tokens, spec.head_dim});
  p.queries = index_rows(p.q, spec.format);
  p.keys = index_rows(p.k, spec.format);
  p.weights = linear("indexer.weights_proj", x, w.weights_proj);
  const T heads_scale = T(1.0 / std::sqrt(static_cast<double>(spec.heads)));
  const T dim_scale = T(1.0 / std::sqrt(static_cast<double>(spec.head_dim)));
  for (std::int64_t i = 0; i < p.weights.size(); ++i) {
    p.weights[i] = p.weights[i] * heads_scale * p.queries.scale[i] * dim_scale;
  }
  return p;
}

/// Appends the tokens' rows to the cache of their sequence: [key elements | scale] of quantised
/// keys, [key elements] of others.
template <class T, class Cache>
void append_index_keys(const IndexerSpec& spec, const IndexerProjection<T>& p, Cache& cache) {
  for (std::int64_t s = 0; s < p.k.dim(0); ++s) {
    std::vector<T> row(p.keys.elements.row(s).begin(), p.keys.elements.row(s).end());
    if (spec.format) row.push_back(p.keys.scale[s]);
    cache.append(row);
  }
}

}  // namespace fathom::kernels::ref
