#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "kernels/ref/v4_attention.hpp"
#include "kernels/ref/v4_weights.hpp"
#include "random_tensor.hpp"

namespace fathom::kernels::test {

/// A kind of V4 layer: how it compresses, and whether an indexer selects.
struct V4Kind {
  std::int64_t ratio = 0;
  bool overlap = false;
  bool select = false;
};

/// A random layer with small odd dimensions.
struct V4Sample {
  ref::V4AttentionSpec spec;
  ref::V4AttentionWeights<double> weights;
  std::int64_t dim = 12;
};

/// A weight [out, in] that keeps the size of what it projects.
inline Tensor<double> random_weight(std::int64_t out, std::int64_t in, std::uint64_t seed) {
  return random_tensor({out, in}, seed, std::sqrt(3.0 / static_cast<double>(in)));
}

inline ref::CompressorWeights<double> random_compressor(const V4Kind& kind, std::int64_t head_dim,
                                                        std::int64_t dim, std::uint64_t seed) {
  const std::int64_t width = (kind.overlap ? 2 : 1) * head_dim;
  return {.wkv = random_weight(width, dim, seed),
          .wgate = random_weight(width, dim, seed + 1),
          .ape = random_tensor({kind.ratio, width}, seed + 2),
          .norm_weight = random_tensor({head_dim}, seed + 3)};
}

inline V4Sample random_v4(const V4Kind& kind, std::uint64_t seed) {
  V4Sample s;
  s.spec = {.n_heads = 4,
            .head_dim = 10,
            .rope_head_dim = 4,
            .o_groups = 2,
            .window_size = 5,
            .index_n_heads = 3,
            .index_head_dim = 8,
            .index_topk = 2};
  s.spec.rope = ref::v4_rope({.rope_head_dim = 4, .original_seq_len = 64}, kind.ratio > 0);
  const std::int64_t latent = 7;
  const std::int64_t rank = 3;
  seed *= 1000;
  s.weights = {.wq_a = random_weight(latent, s.dim, seed + 1),
               .q_norm = random_tensor({latent}, seed + 2),
               .wq_b = random_weight(s.spec.n_heads * s.spec.head_dim, latent, seed + 3),
               .wkv = random_weight(s.spec.head_dim, s.dim, seed + 4),
               .kv_norm = random_tensor({s.spec.head_dim}, seed + 5),
               .attn_sink = random_tensor({s.spec.n_heads}, seed + 6),
               .wo_a = random_weight(s.spec.o_groups * rank, 20, seed + 7),
               .wo_b = random_weight(s.dim, s.spec.o_groups * rank, seed + 8)};
  if (kind.ratio > 0) {
    s.weights.compressor = random_compressor(kind, s.spec.head_dim, s.dim, seed + 10);
  }
  if (kind.select) {
    s.weights.indexer = {
        .wq_b = random_weight(s.spec.index_n_heads * s.spec.index_head_dim, latent, seed + 20),
        .weights_proj = random_weight(s.spec.index_n_heads, s.dim, seed + 21),
        .compressor = random_compressor(kind, s.spec.index_head_dim, s.dim, seed + 22)};
  }
  return s;
}

/// Rows [first, first + count) of x [rows, dim].
template <class T>
Tensor<T> some_rows(const Tensor<T>& x, std::int64_t first, std::int64_t count) {
  Shape shape = x.shape;
  shape[0] = count;
  const auto begin = x.data.begin() + first * x.slice_size();
  return {shape, std::vector<T>(begin, begin + count * x.slice_size())};
}

}  // namespace fathom::kernels::test
