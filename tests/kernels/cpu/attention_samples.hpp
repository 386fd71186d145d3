#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "../random_tensor.hpp"
#include "kernels/cpu/attention_plan.hpp"
#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/kv_cache.hpp"
#include "kernels/ref/attention.hpp"

namespace fathom::kernels::cpu::samples {

/// Random bf16 values in (-range, range).
inline std::vector<Bf16> random_bf16(std::int64_t count, std::uint64_t seed, double range = 1.0) {
  const auto x = test::random_tensor({count}, seed, range);
  std::vector<Bf16> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = to_bf16(static_cast<float>(x.data[i]));
  return out;
}

inline Tensor<double> as_tensor(std::span<const Bf16> values, Shape shape) {
  Tensor<double> out{std::move(shape)};
  for (std::int64_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<double>(to_float(values[static_cast<std::size_t>(i)]));
  return out;
}

/// An output nobody has written yet.
inline std::vector<float> poisoned(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count),
                            std::numeric_limits<float>::quiet_NaN());
}

/// |a - b| / |b| over all elements (Frobenius), and the largest difference over the largest |b|.
struct Difference {
  double frobenius = 0.0;
  double largest = 0.0;
};
inline Difference difference(std::span<const float> a, const Tensor<double>& b) {
  double error = 0.0, norm = 0.0, worst = 0.0, top = 0.0;
  for (std::int64_t i = 0; i < b.size(); ++i) {
    const double d = static_cast<double>(a[static_cast<std::size_t>(i)]) - b[i];
    if (!std::isfinite(d)) return {1e300, 1e300};
    error += d * d;
    norm += b[i] * b[i];
    worst = std::max(worst, std::abs(d));
    top = std::max(top, std::abs(b[i]));
  }
  return {std::sqrt(error / norm), worst / top};
}

/// Probabilities enter the second product as bf16 (fp32 where keys are widened): each off by at
/// most 2^-9 of itself, so the sum of p v is off by at most 2^-9 sum p |v|. Random signs shrink v's
/// average by sqrt(rows) but the error as much, so relative to the norm it stays near 2^-9; fp32
/// sums over some thousand terms and exp2 (3.4e-6) are far below that.
inline constexpr double kPairBound = 0x1p-8;
/// fp32 everywhere: sums of n terms with random rounding, sqrt(n) 2^-24, and exp2's 3.4e-6.
inline constexpr double kFloatBound = 2e-5;
inline double bound_of(const AttentionKernel& kernel) {
  return kernel.terms_per_word == 2 ? kPairBound : kFloatBound;
}

/// Softmax attention of one sequence in double on the same bf16 inputs.
struct Sequence {
  std::int64_t tokens = 1;
  std::int64_t keys = 0;
  std::vector<Bf16> q, k, v;  // v empty in MLA
};
inline Sequence random_sequence(const AttentionShape& shape, std::int64_t tokens, std::int64_t keys,
                                std::uint64_t seed) {
  Sequence s{.tokens = tokens, .keys = keys};
  s.q = random_bf16(tokens * shape.heads * shape.qk_head_dim, seed);
  s.k = random_bf16(keys * shape.kv_heads * shape.qk_head_dim, seed + 1);
  if (!shape.shared_kv) s.v = random_bf16(keys * shape.kv_heads * shape.v_head_dim, seed + 2);
  return s;
}
inline ref::AttentionTrace<double> expected(const AttentionShape& shape, const Sequence& s) {
  const ref::AttentionSpec spec{.heads = shape.heads,
                                .kv_heads = shape.kv_heads,
                                .v_head_dim = shape.v_head_dim,
                                .softmax_scale = shape.softmax_scale,
                                .visible = {.keys = s.keys,
                                            .prefix = s.keys - s.tokens,
                                            .causal = shape.causal,
                                            .window = shape.window}};
  const auto q = as_tensor(s.q, {s.tokens, shape.heads, shape.qk_head_dim});
  const auto k = as_tensor(s.k, {s.keys, shape.kv_heads, shape.qk_head_dim});
  if (shape.shared_kv) return ref::attention(spec, q, ref::head_rows(k), ref::head_rows(k));
  const auto v = as_tensor(s.v, {s.keys, shape.kv_heads, shape.v_head_dim});
  return ref::attention(spec, q, ref::head_rows(k), ref::head_rows(v));
}

/// The cached rows of a sequence in pages of `page` rows.
inline std::vector<KvSpan> pages_of(const AttentionShape& shape, const Sequence& s,
                                    std::int64_t page) {
  std::vector<KvSpan> spans;
  for (std::int64_t at = 0; at < s.keys; at += page)
    spans.push_back(
        {.keys = s.k.data() + at * shape.kv_heads * shape.qk_head_dim,
         .values = shape.shared_kv ? nullptr : s.v.data() + at * shape.kv_heads * shape.v_head_dim,
         .rows = std::min(page, s.keys - at)});
  return spans;
}

}  // namespace fathom::kernels::cpu::samples
