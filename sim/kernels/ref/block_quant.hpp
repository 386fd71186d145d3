#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/ref/block_format.hpp"
#include "kernels/tensor.hpp"

namespace fathom::kernels::ref {

/// A tensor in a block format: a code per element in the tensor's shape, a scale per block. Scales
/// have the tensor's shape with the last dimension in blocks where blocks are single rows, and
/// [row blocks, column blocks] otherwise.
struct Quantised {
  BlockFormat format;
  Tensor<std::uint8_t> codes;
  Tensor<float> scales;

  std::int64_t scale_index(std::int64_t row, std::int64_t col) const {
    const std::int64_t block_row = format.rows == 0 ? 0 : row / format.rows;
    const std::int64_t block_col = format.cols == 0 ? 0 : col / format.cols;
    return block_row * scales.dim(-1) + block_col;
  }
};

/// Scale of a block whose largest magnitude is `amax`; `tensor_scale` matters to NVFP4 only.
inline float block_scale(const BlockFormat& format, float amax, float tensor_scale) {
  const auto max = static_cast<float>(format.element.max);
  const float top = std::max(amax, format.amax_floor);
  const float exact = format.rule == ScaleRule::reciprocal ? top * (1.0F / max) : top / max;
  switch (format.grid) {
    case ScaleGrid::float32:
      break;
    case ScaleGrid::ue8m0:
      return static_cast<float>(power_of_two_at_least(exact));
    case ScaleGrid::ocp_mx:
      return std::ldexp(static_cast<float>(power_of_two_at_most(top)),
                        -max_exponent(format.element));
    case ScaleGrid::e4m3:
      return tensor_scale == 0.0F ? 0.0F : round_e4m3(exact / tensor_scale) * tensor_scale;
  }
  return exact;
}

/// Largest magnitude of each block of `x`, in the layout of Quantised::scales.
template <class T>
Tensor<float> block_amax(const Tensor<T>& x, const BlockFormat& format) {
  const auto blocks = [](std::int64_t n, std::int64_t size) {
    return size == 0 ? 1 : (n + size - 1) / size;
  };
  Shape shape{blocks(x.rows(), format.rows), blocks(x.dim(-1), format.cols)};
  if (format.rows == 1) {
    shape = x.shape;
    shape.back() = blocks(x.dim(-1), format.cols);
  }
  Quantised layout{.format = format, .scales = Tensor<float>{shape}};
  for (std::int64_t i = 0; i < x.size(); ++i) {
    float& amax = layout.scales[layout.scale_index(i / x.dim(-1), i % x.dim(-1))];
    amax = std::max(amax, std::abs(static_cast<float>(x[i])));
  }
  return layout.scales;
}

/// `x` [..., cols] in the format, computed in float32 whatever T is, as the kernels do.
template <class T>
Quantised quantise(const Tensor<T>& x, const BlockFormat& format) {
  FATHOM_EXPECT(code_bits(format.element) <= 8, "codes of a block format are bytes");
  FATHOM_EXPECT(!x.empty(), "nothing to quantise");
  const auto max = static_cast<float>(format.element.max);
  const Tensor<float> amax = block_amax(x, format);
  const float top = *std::max_element(amax.data.begin(), amax.data.end());
  // The largest block gets the largest block scale, 448.
  const float tensor_scale = top / max / static_cast<float>(kE4m3.max);
  Quantised q{format, Tensor<std::uint8_t>{x.shape}, Tensor<float>{amax.shape}};
  for (std::int64_t b = 0; b < amax.size(); ++b) {
    q.scales[b] = block_scale(format, amax[b], tensor_scale);
  }
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t block = q.scale_index(i / x.dim(-1), i % x.dim(-1));
    const auto value = static_cast<float>(x[i]);
    float scaled = 0.0F;
    if (format.rule == ScaleRule::multiplied) {
      scaled = value * (max / std::max(amax[block], format.amax_floor));
    } else if (q.scales[block] > 0.0F) {
      scaled = value / q.scales[block];
    }
    q.codes[i] = static_cast<std::uint8_t>(encode(format.element, scaled));
  }
  return q;
}

/// The elements without their scales, in the tensor's shape.
template <class T>
Tensor<T> elements(const Quantised& q) {
  Tensor<T> out{q.codes.shape};
  for (std::int64_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<T>(decode(q.format.element, q.codes[i]));
  }
  return out;
}

/// element * scale in float32.
template <class T>
Tensor<T> dequantise(const Quantised& q) {
  Tensor<float> out = elements<float>(q);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    out[i] *= q.scales[q.scale_index(i / out.dim(-1), i % out.dim(-1))];
  }
  return converted<T>(out);
}

/// What is left of `x` after a trip through the format (DeepSeek's in-place act_quant).
template <class T>
Tensor<T> round_trip(const Tensor<T>& x, const BlockFormat& format) {
  return dequantise<T>(quantise(x, format));
}

}  // namespace fathom::kernels::ref
