#pragma once

#include <cmath>
#include <span>

#include "kernels/counted.hpp"

namespace fathom::kernels::ref {

// Normalisation is pointwise work: its sums of squares are no contractions and are not counted as
// FLOPs. A row runs along the last dimension.

/// 1 / sqrt(mean(x^2) + eps) of one row.
template <class T>
T inverse_rms(std::span<const T> x, double eps) {
  using std::sqrt;
  const Sum<T> count{static_cast<double>(x.size())};
  Sum<T> squares{0};
  for (const T& v : x) squares += static_cast<Sum<T>>(v) * static_cast<Sum<T>>(v);
  return static_cast<T>(Sum<T>{1} / sqrt(squares / count + Sum<T>{eps}));
}

/// In place: x / rms(x), without a weight.
template <class T>
void rms_norm_row(std::span<T> x, double eps) {
  const T scale = inverse_rms<T>(x, eps);
  for (T& v : x) v *= scale;
}

/// In place: x / rms(x) * weight, weight as long as the row.
template <class T>
void rms_norm_row(std::span<T> x, const Tensor<T>& weight, double eps) {
  FATHOM_EXPECT(static_cast<std::int64_t>(x.size()) == weight.size(), "norm weight of other width");
  const T scale = inverse_rms<T>(x, eps);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] * scale * weight.data[i];
}

/// RMSNorm over the rows of x [..., dim], weight [dim] (arXiv 1910.07467; DeepSeek-V3
/// inference/model.py, RMSNorm).
template <class T>
Tensor<T> rms_norm(Tensor<T> x, const Tensor<T>& weight, double eps) {
  for (std::int64_t r = 0; r < x.rows(); ++r) rms_norm_row<T>(x.row(r), weight, eps);
  return x;
}

/// RMSNorm without a weight, as DeepSeek-V4 applies it to every query head.
template <class T>
Tensor<T> rms_norm(Tensor<T> x, double eps) {
  for (std::int64_t r = 0; r < x.rows(); ++r) rms_norm_row<T>(x.row(r), eps);
  return x;
}

template <class T>
struct AddedNorm {
  Tensor<T> out;       // normalised sum
  Tensor<T> residual;  // the sum itself, on which the next block builds
};

/// residual' = x + residual; out = rms_norm(residual') (DeepSeek-V3.2-Exp inference/model.py,
/// RMSNorm.forward with a residual).
template <class T>
AddedNorm<T> add_rms_norm(const Tensor<T>& x, const Tensor<T>& residual, const Tensor<T>& weight,
                          double eps) {
  FATHOM_EXPECT(x.shape == residual.shape, "residual of another shape");
  Tensor<T> sum{x.shape};
  for (std::int64_t i = 0; i < x.size(); ++i) sum[i] = x[i] + residual[i];
  return {.out = rms_norm<T>(sum, weight, eps), .residual = sum};
}

/// In place: (x - mean) / sqrt(variance + eps) * weight + bias, population variance.
template <class T>
void layer_norm_row(std::span<T> x, const Tensor<T>& weight, const Tensor<T>& bias, double eps) {
  using std::sqrt;
  FATHOM_EXPECT(static_cast<std::int64_t>(x.size()) == weight.size(), "norm weight of other width");
  FATHOM_EXPECT(weight.size() == bias.size(), "norm bias of other width than its weight");
  const Sum<T> count{static_cast<double>(x.size())};
  Sum<T> total{0};
  for (const T& v : x) total += static_cast<Sum<T>>(v);
  const Sum<T> mean = total / count;
  Sum<T> squares{0};
  for (const T& v : x) {
    const Sum<T> centred = static_cast<Sum<T>>(v) - mean;
    squares += centred * centred;
  }
  const Sum<T> scale = Sum<T>{1} / sqrt(squares / count + Sum<T>{eps});
  for (std::size_t i = 0; i < x.size(); ++i) {
    const T normed = static_cast<T>((static_cast<Sum<T>>(x[i]) - mean) * scale);
    x[i] = normed * weight.data[i] + bias.data[i];
  }
}

/// LayerNorm over the rows of x [..., dim] (arXiv 1607.06450); DeepSeek uses it for the key of the
/// lightning indexer only (DeepSeek-V3.2-Exp inference/model.py, LayerNorm).
template <class T>
Tensor<T> layer_norm(Tensor<T> x, const Tensor<T>& weight, const Tensor<T>& bias, double eps) {
  for (std::int64_t r = 0; r < x.rows(); ++r) layer_norm_row<T>(x.row(r), weight, bias, eps);
  return x;
}

}  // namespace fathom::kernels::ref
