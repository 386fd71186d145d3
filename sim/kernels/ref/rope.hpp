#pragma once

#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "kernels/counted.hpp"

namespace fathom::kernels::ref {

/// Cosines and sines of position * frequency, both [positions, dim / 2].
template <class T>
struct RopeTables {
  Tensor<T> cos;
  Tensor<T> sin;
};

/// Tables for `positions`, divided by `interpolation` first (position interpolation on the
/// positions). Angles are products in T: in float32 they differ from float64 by up to 1e-2 at
/// positions near 1e5, and the sources are meant in float32.
template <class T>
RopeTables<T> rope_tables(const Tensor<T>& inv_freq, std::span<const std::int64_t> positions,
                          double interpolation = 1.0) {
  using std::cos;
  using std::sin;
  const auto count = static_cast<std::int64_t>(positions.size());
  RopeTables<T> tables{.cos = Tensor<T>{{count, inv_freq.size()}},
                       .sin = Tensor<T>{{count, inv_freq.size()}}};
  for (std::int64_t p = 0; p < count; ++p) {
    const T position = T(positions[static_cast<std::size_t>(p)]) / T(interpolation);
    for (std::int64_t i = 0; i < inv_freq.size(); ++i) {
      const T angle = position * inv_freq[i];
      tables.cos[p * inv_freq.size() + i] = cos(angle);
      tables.sin[p * inv_freq.size() + i] = sin(angle);
    }
  }
  return tables;
}

/// Tables for `count` consecutive positions from `first` on.
template <class T>
RopeTables<T> rope_tables(const Tensor<T>& inv_freq, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), first);
  return rope_tables<T>(inv_freq, positions);
}

/// Which elements of a row form a pair, where the rotated pair goes, and which way it turns.
enum class RopeLayout {
  interleaved,          // pairs (2i, 2i+1) in place: DeepSeek inference code
  inverse_interleaved,  // the same by minus the angle: DeepSeek-V4 on its attention output
  deinterleaved,        // pairs (2i, 2i+1), output [evens | odds]: DeepSeek-VL2, Hugging Face
  half,                 // pairs (i, i + dim/2): Llama, GPT-NeoX
  half_negative,        // the same by minus the angle: TPA
};

/// Rotates one row in place: x [dim], cos and sin [dim / 2] (arXiv 2104.09864, equation 34).
template <class T>
void rotate_row(std::span<T> x, std::span<const T> cos, std::span<const T> sin, RopeLayout layout) {
  FATHOM_EXPECT(x.size() == 2 * cos.size() && cos.size() == sin.size(),
                "rotary tables of another width than the row");
  const bool pairs_adjacent = layout == RopeLayout::interleaved ||
                              layout == RopeLayout::inverse_interleaved ||
                              layout == RopeLayout::deinterleaved;
  const bool stays_adjacent = pairs_adjacent && layout != RopeLayout::deinterleaved;
  const bool backwards =
      layout == RopeLayout::inverse_interleaved || layout == RopeLayout::half_negative;
  const std::size_t half = cos.size();
  const std::vector<T> in(x.begin(), x.end());
  for (std::size_t i = 0; i < half; ++i) {
    const T& a = pairs_adjacent ? in[2 * i] : in[i];
    const T& b = pairs_adjacent ? in[2 * i + 1] : in[i + half];
    const T s = backwards ? -sin[i] : sin[i];
    x[stays_adjacent ? 2 * i : i] = a * cos[i] - b * s;
    x[stays_adjacent ? 2 * i + 1 : i + half] = a * s + b * cos[i];
  }
}

/// Rotates elements [first, first + dim) of every head of x [..., tokens, heads, width] by its
/// token's angle, tables [tokens, dim / 2]; the others pass.
template <class T>
Tensor<T> apply_rope(Tensor<T> x, const RopeTables<T>& tables, RopeLayout layout,
                     std::int64_t first = 0) {
  const std::int64_t heads = x.dim(-2);
  const std::int64_t tokens = tables.cos.dim(0);
  const std::int64_t dim = 2 * tables.cos.dim(1);
  FATHOM_EXPECT(x.dim(-3) == tokens, "rotary tables for another number of tokens");
  FATHOM_EXPECT(first >= 0 && first + dim <= x.dim(-1), "rotary part outside of the head");
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const std::int64_t token = r / heads % tokens;
    const auto part =
        x.row(r).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(dim));
    rotate_row<T>(part, tables.cos.row(token), tables.sin.row(token), layout);
  }
  return x;
}

}  // namespace fathom::kernels::ref
