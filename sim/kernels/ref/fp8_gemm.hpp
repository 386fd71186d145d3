#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/ref/block_quant.hpp"
#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// y = a b^T over block-scaled operands a [m, k], b [n, k] with equal blocks along k: the products
/// of one block are summed, multiplied by scale_a * scale_b and added to the output (DeepSeek-V3.2
/// inference/kernel.py, fp8_gemm_kernel). Sums run in Sum<T>: no rounding but the codes' own.
template <class T>
Tensor<T> fp8_gemm(const Quantised& a, const Quantised& b) {
  const std::int64_t k = a.codes.dim(-1);
  FATHOM_EXPECT(b.codes.dim(-1) == k && a.format.cols == b.format.cols, "operands do not fit");
  const std::int64_t block = a.format.cols == 0 ? k : a.format.cols;
  const Tensor<T> ea = elements<T>(a);
  const Tensor<T> eb = elements<T>(b);
  Tensor<T> y{{ea.rows(), eb.rows()}};
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t row = i / eb.rows();
    const std::int64_t col = i % eb.rows();
    Sum<T> sum{0};
    for (std::int64_t begin = 0; begin < k; begin += block) {
      Sum<T> partial{0};
      for (std::int64_t c = begin; c < std::min(begin + block, k); ++c) {
        multiply_add<T>(partial, ea[row * k + c], eb[col * k + c]);
      }
      const double scale_a = a.scales[a.scale_index(row, begin)];
      const double scale_b = b.scales[b.scale_index(col, begin)];
      sum += partial * static_cast<Sum<T>>(scale_a * scale_b);
    }
    y[i] = static_cast<T>(sum);
  }
  return y;
}

/// How a tensor core adds up FP8 products. DeepSeek-V3 report, section 3.3.2: Hopper keeps about 14
/// bits, because the products of one instruction are aligned to the largest exponent among them and
/// cut to the highest 14 bits before they are added; V3 therefore copies the partial sums to
/// float32 registers every 128 products.
///
/// The model: an instruction adds `step` products (32: the K of an FP8 WGMMA) to its accumulator;
/// all addends, the accumulator among them, are truncated toward zero at `fraction_bits` (13, plus
/// the leading one: 14 bits) below the largest exponent. Not modelled: the order of rounding
/// inside the adder tree, which NVIDIA does not publish.
struct TensorCore {
  int fraction_bits = 13;
  std::int64_t step = 32;
};

/// accumulator + sum of a[i] * b[i] by one instruction.
inline double tensor_core_step(const TensorCore& core, double accumulator, std::span<const float> a,
                               std::span<const float> b) {
  double top = std::abs(accumulator);
  for (std::size_t i = 0; i < a.size(); ++i) {
    top = std::max(top, std::abs(static_cast<double>(a[i]) * static_cast<double>(b[i])));
  }
  if (top == 0.0) return 0.0;
  const double quantum = std::ldexp(1.0, std::ilogb(top) - core.fraction_bits);
  const auto cut = [quantum](double v) { return std::trunc(v / quantum) * quantum; };
  double sum = cut(accumulator);
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += cut(static_cast<double>(a[i]) * static_cast<double>(b[i]));
  }
  return sum;
}

/// Dot product on the tensor core with the accumulator added to a float32 register, and cleared,
/// every `promote_every` products; 0 never promotes.
inline float tensor_core_dot(const TensorCore& core, std::int64_t promote_every,
                             std::span<const float> a, std::span<const float> b) {
  FATHOM_EXPECT(promote_every % core.step == 0, "promotion falls between two instructions");
  const auto step = static_cast<std::size_t>(core.step);
  const auto interval = static_cast<std::size_t>(promote_every);
  float promoted = 0.0F;
  double accumulator = 0.0;
  for (std::size_t begin = 0; begin < a.size(); begin += step) {
    const std::size_t count = std::min(step, a.size() - begin);
    accumulator =
        tensor_core_step(core, accumulator, a.subspan(begin, count), b.subspan(begin, count));
    if (interval != 0 && (begin + step) % interval == 0) {
      promoted += static_cast<float>(accumulator);
      accumulator = 0.0;
    }
  }
  return promoted + static_cast<float>(accumulator);
}

/// Dot product with every product added to a float32 register in turn.
inline float float32_dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace fathom::kernels::ref
