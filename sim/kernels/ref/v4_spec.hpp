#pragma once

#include <cstdint>

#include "kernels/ref/compressor.hpp"
#include "kernels/ref/rope_scaling.hpp"

namespace fathom::kernels::ref {

/// Rotary settings of a model. Layers that compress reach far and use YaRN over their own base,
/// window-only layers plain RoPE; neither scales the softmax.
struct V4RopeSettings {
  std::int64_t rope_head_dim = 0;
  double rope_theta = 10000.0;
  double compress_rope_theta = 160000.0;
  std::int64_t original_seq_len = 0;  // tokens; 0: no YaRN
  double rope_factor = 16.0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
};

inline RopeSpec v4_rope(const V4RopeSettings& s, bool compresses) {
  if (!compresses) return {.dim = s.rope_head_dim, .theta = s.rope_theta, .scaling = {}};
  RopeSpec rope{.dim = s.rope_head_dim, .theta = s.compress_rope_theta, .scaling = {}};
  if (s.original_seq_len > 0) {
    rope.scaling =
        YarnRope{.factor = s.rope_factor,
                 .original_max_position_embeddings = static_cast<double>(s.original_seq_len),
                 .beta_fast = s.beta_fast,
                 .beta_slow = s.beta_slow};
  }
  return rope;
}

/// Dimensions of one attention layer of DeepSeek-V4 (V4 report, arXiv 2606.19348; field names of
/// inference/model.py). Whether and how it compresses follows from the weights it has.
struct V4AttentionSpec {
  std::int64_t n_heads = 0;
  std::int64_t head_dim = 0;        // of the one vector that is key and value of all heads
  std::int64_t rope_head_dim = 0;   // its last elements are rotated
  std::int64_t o_groups = 1;        // output projection: groups of heads with their own wo_a
  std::int64_t window_size = 0;     // latest positions that are seen uncompressed
  std::int64_t index_n_heads = 0;   // indexer, in layers that have one
  std::int64_t index_head_dim = 0;  // a power of two
  std::int64_t index_topk = 0;      // compressed entries that a query reads at most
  double norm_eps = 1e-6;
  RopeSpec rope;           // dim = rope_head_dim
  bool quantised = false;  // entries pass through FP8, the indexer through FP4, as served
};

/// Selector of compressed entries (CSA layers).
template <class T>
struct V4IndexerWeights {
  Tensor<T> wq_b;          // [index_n_heads index_head_dim, q_lora_rank]
  Tensor<T> weights_proj;  // [index_n_heads, dim]
  CompressorWeights<T> compressor;
};

template <class T>
struct V4AttentionWeights {
  Tensor<T> wq_a;                   // [q_lora_rank, dim]
  Tensor<T> q_norm;                 // [q_lora_rank]
  Tensor<T> wq_b;                   // [n_heads head_dim, q_lora_rank]
  Tensor<T> wkv;                    // [head_dim, dim]
  Tensor<T> kv_norm;                // [head_dim]
  Tensor<T> attn_sink;              // [n_heads]
  Tensor<T> wo_a;                   // [o_groups o_lora_rank, n_heads head_dim / o_groups]
  Tensor<T> wo_b;                   // [dim, o_groups o_lora_rank]
  CompressorWeights<T> compressor;  // empty: the window is all there is
  V4IndexerWeights<T> indexer;      // empty: every compressed entry is read

  bool compresses() const { return !compressor.ape.empty(); }
  bool selects() const { return !indexer.wq_b.empty(); }
  std::int64_t compress_ratio() const { return compresses() ? compressor.ratio() : 0; }
};

/// What one layer keeps of one sequence. A value: copy it to come back to a position.
template <class T>
struct V4LayerCache {
  Tensor<T> window;      // [window_size, head_dim], a ring: position p lies in row p % window_size
  Tensor<T> compressed;  // [complete blocks, head_dim]
  Tensor<T> index_keys;  // [complete blocks, index_head_dim]
  CompressorState<T> compressor;
  CompressorState<T> index_compressor;
  bool operator==(const V4LayerCache&) const = default;
};

/// Weights of other shapes than the spec's are a caller's mistake.
template <class T>
void expect_shapes(const CompressorWeights<T>& w, std::int64_t head_dim) {
  FATHOM_EXPECT(w.head_dim() == head_dim && (w.ape.dim(1) == head_dim || w.overlaps()),
                "a compressor is one or two heads wide");
  FATHOM_EXPECT(w.ratio() > 0 && w.wkv.dim(0) == w.ape.dim(1) && w.wgate.shape == w.wkv.shape,
                "compressor projections of different widths");
}

template <class T>
void expect_shapes(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w) {
  const std::int64_t q_width = spec.n_heads * spec.head_dim;
  FATHOM_EXPECT(spec.window_size > 0 && spec.rope_head_dim <= spec.head_dim, "no usable V4 head");
  FATHOM_EXPECT(w.wq_b.dim(0) == q_width && w.attn_sink.size() == spec.n_heads, "other V4 heads");
  FATHOM_EXPECT(w.wkv.dim(0) == spec.head_dim, "V4 entries of another width than a head");
  FATHOM_EXPECT(w.wo_a.dim(0) % spec.o_groups == 0 && w.wo_a.dim(1) * spec.o_groups == q_width,
                "wo_a does not fit the output groups");
  if (w.compresses()) expect_shapes(w.compressor, spec.head_dim);
  if (!w.selects()) return;
  FATHOM_EXPECT(w.compresses() && w.indexer.compressor.ratio() == w.compressor.ratio(),
                "an indexer selects among compressed entries");
  FATHOM_EXPECT(w.indexer.wq_b.dim(0) == spec.index_n_heads * spec.index_head_dim &&
                    w.indexer.weights_proj.dim(0) == spec.index_n_heads &&
                    spec.rope_head_dim <= spec.index_head_dim,
                "indexer weights of other heads");
  expect_shapes(w.indexer.compressor, spec.index_head_dim);
}

template <class T>
V4LayerCache<T> empty_cache(const V4AttentionSpec& spec, const V4AttentionWeights<T>& w) {
  V4LayerCache<T> cache{.window = Tensor<T>{Shape{spec.window_size, spec.head_dim}},
                        .compressed = Tensor<T>{Shape{0, spec.head_dim}},
                        .index_keys = Tensor<T>{Shape{0, spec.index_head_dim}}};
  if (w.compresses()) cache.compressor = empty_state(w.compressor);
  if (w.selects()) cache.index_compressor = empty_state(w.indexer.compressor);
  return cache;
}

}  // namespace fathom::kernels::ref
