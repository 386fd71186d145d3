#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "kernels/counted.hpp"
#include "kernels/ref/contiguous_cache.hpp"
#include "kernels/ref/mla_attention.hpp"
#include "kernels/ref/rope_frequencies.hpp"

namespace fathom::kernels::samples {

/// Uniform in [-1, 1).
inline double uniform(std::mt19937_64& random) {
  return 2.0 * std::ldexp(static_cast<double>(random() >> 11U), -53) - 1.0;
}

inline Tensor<double> random_tensor(std::mt19937_64& random, Shape shape) {
  Tensor<double> x{std::move(shape)};
  for (double& v : x.data) v = uniform(random);
  return x;
}

inline std::int64_t between(std::mt19937_64& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
}

/// Largest absolute difference; infinity when shapes differ.
inline double distance(const Tensor<double>& a, const Tensor<double>& b) {
  if (a.shape != b.shape) return INFINITY;
  double worst = 0.0;
  for (std::int64_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// Rows [first, first + count) of a matrix.
inline Tensor<double> rows_of(const Tensor<double>& x, std::int64_t first, std::int64_t count) {
  Tensor<double> out{{count, x.dim(-1)}};
  for (std::int64_t r = 0; r < count; ++r) std::ranges::copy(x.row(first + r), out.row(r).begin());
  return out;
}

/// A random MLA layer over inputs of `dim` elements.
struct MlaLayer {
  ref::MlaSpec spec;
  ref::MlaWeights<double> weights;
  Tensor<double> frequencies;
  std::int64_t dim = 0;

  ref::MlaProjection<double> project(const Tensor<double>& x, std::int64_t first) const {
    return ref::mla_project(spec, weights, x,
                            ref::rope_tables<double>(frequencies, first, x.dim(0)));
  }
};

inline MlaLayer random_mla(std::mt19937_64& random, std::int64_t q_lora_rank) {
  MlaLayer layer{.dim = between(random, 5, 12)};
  auto& s = layer.spec;
  s = {.heads = 2 * between(random, 1, 3),
       .q_lora_rank = q_lora_rank,
       .kv_lora_rank = between(random, 3, 9),
       .qk_nope_head_dim = between(random, 2, 7),
       .qk_rope_head_dim = 2 * between(random, 1, 3),
       .v_head_dim = between(random, 2, 7),
       .softmax_scale = 0.7};
  const std::int64_t q_in = q_lora_rank > 0 ? q_lora_rank : layer.dim;
  const auto q = random_tensor(random, {s.heads * s.qk_head_dim(), q_in});
  auto& w = layer.weights;
  (q_lora_rank > 0 ? w.wq_b : w.wq) = q;
  if (q_lora_rank > 0) {
    w.wq_a = random_tensor(random, {q_lora_rank, layer.dim});
    w.q_norm = random_tensor(random, {q_lora_rank});
  }
  w.wkv_a = random_tensor(random, {s.latent_row(), layer.dim});
  w.kv_norm = random_tensor(random, {s.kv_lora_rank});
  w.wkv_b = random_tensor(random, {s.heads * (s.qk_nope_head_dim + s.v_head_dim), s.kv_lora_rank});
  w.wo = random_tensor(random, {layer.dim, s.heads * s.v_head_dim});
  layer.frequencies = ref::inv_freq<double>({.dim = s.qk_rope_head_dim, .theta = 100.0});
  return layer;
}

}  // namespace fathom::kernels::samples
