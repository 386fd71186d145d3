#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/ref/block_quant.hpp"

namespace fathom::kernels::ref {

/// What a quantised tensor lost.
struct QuantError {
  double max_abs = 0.0;
  double rmse = 0.0;
  double snr_db = 0.0;            // 10 log10(sum x^2 / sum error^2); infinity if nothing was lost
  double underflow_share = 0.0;   // non-zero elements that became zero, of all elements
  double saturation_share = 0.0;  // elements clamped to the largest magnitude, of all elements
  bool operator==(const QuantError&) const = default;
};

/// Whether element x of a block with this scale rounds beyond the format's largest value.
inline bool saturates(const MiniFloat& f, double x, double scale) {
  return scale > 0.0 && std::abs(round_unbounded(f, x / scale)) > f.max;
}

/// Compares `q` with the tensor `x` it was made from.
template <class T>
QuantError quant_error(const Tensor<T>& x, const Quantised& q) {
  FATHOM_EXPECT(x.shape == q.codes.shape, "not the tensor that was quantised");
  const Tensor<float> restored = dequantise<float>(q);
  QuantError out;
  double signal = 0.0;
  double noise = 0.0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto value = static_cast<double>(x[i]);
    const double error = static_cast<double>(restored[i]) - value;
    const double scale = q.scales[q.scale_index(i / x.dim(-1), i % x.dim(-1))];
    signal += value * value;
    noise += error * error;
    out.max_abs = std::max(out.max_abs, std::abs(error));
    if (value != 0.0 && restored[i] == 0.0F) out.underflow_share += 1.0;
    if (saturates(q.format.element, value, scale)) out.saturation_share += 1.0;
  }
  const auto count = static_cast<double>(x.size());
  out.rmse = std::sqrt(noise / count);
  out.snr_db =
      noise == 0.0 ? std::numeric_limits<double>::infinity() : 10.0 * std::log10(signal / noise);
  out.underflow_share /= count;
  out.saturation_share /= count;
  return out;
}

}  // namespace fathom::kernels::ref
