#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <variant>

#include "kernels/counted.hpp"
#include "kernels/ref/rope_scaling.hpp"

namespace fathom::kernels::ref {

/// theta^(-2i/dim). Exponent, power and reciprocal round to T one after the other, as the float32
/// sources do: far positions turn a last bit of a frequency into a visible angle.
template <class T>
Tensor<T> plain_inv_freq(std::int64_t dim, double theta) {
  FATHOM_EXPECT(dim > 0 && dim % 2 == 0, "rotary dimension must be even");
  Tensor<T> out{{dim / 2}};
  for (std::int64_t i = 0; i < dim / 2; ++i) {
    const T exponent = T(2 * i) / T(dim);
    const T power = T(std::pow(theta, static_cast<double>(exponent)));
    out[i] = T(1.0) / power;
  }
  return out;
}

/// Fast frequencies stay, slow ones are divided by the factor, a linear ramp lies between. The
/// range is clamped to dim - 1 although only dim / 2 frequencies exist, as in every source.
template <class T>
Tensor<T> yarn_inv_freq(const RopeSpec& rope, const YarnRope& yarn) {
  const double low = std::max(std::floor(yarn_correction_dim(rope, yarn, yarn.beta_fast)), 0.0);
  double high = std::min(std::ceil(yarn_correction_dim(rope, yarn, yarn.beta_slow)),
                         static_cast<double>(rope.dim - 1));
  if (low == high) high += 0.001;  // no division by zero
  Tensor<T> out = plain_inv_freq<T>(rope.dim, rope.theta);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const T position = (T(i) - T(low)) / T(high - low);
    const T ramp = std::min<T>(std::max<T>(position, T(0.0)), T(1.0));
    const T kept = T(1.0) - ramp;
    out[i] = out[i] / T(yarn.factor) * (T(1.0) - kept) + out[i] * kept;
  }
  return out;
}

/// Wavelengths beyond the original length / low_freq_factor are stretched, those below the length
/// / high_freq_factor kept, the rest interpolated.
template <class T>
Tensor<T> llama3_inv_freq(const RopeSpec& rope, const Llama3Rope& llama) {
  const double length = llama.original_max_position_embeddings;
  Tensor<T> out = plain_inv_freq<T>(rope.dim, rope.theta);
  for (T& f : out.data) {
    const T wavelength = T(2.0 * std::numbers::pi) / f;
    const T stretched = f / T(llama.factor);
    const T smooth = (T(length) / wavelength - T(llama.low_freq_factor)) /
                     T(llama.high_freq_factor - llama.low_freq_factor);
    if (wavelength > T(length / llama.low_freq_factor)) {
      f = stretched;
    } else if (!(wavelength < T(length / llama.high_freq_factor))) {
      f = (T(1.0) - smooth) * stretched + smooth * f;
    }
  }
  return out;
}

/// Rotary frequencies [dim / 2] in radians per token, fastest first.
template <class T>
Tensor<T> inv_freq(const RopeSpec& rope) {
  if (const auto* yarn = std::get_if<YarnRope>(&rope.scaling)) return yarn_inv_freq<T>(rope, *yarn);
  if (const auto* llama = std::get_if<Llama3Rope>(&rope.scaling)) {
    return llama3_inv_freq<T>(rope, *llama);
  }
  if (const auto* ntk = std::get_if<NtkRope>(&rope.scaling)) {
    return plain_inv_freq<T>(rope.dim, ntk_theta(rope, ntk->factor));
  }
  if (const auto* ntk = std::get_if<DynamicNtkRope>(&rope.scaling)) {
    const double length = std::max(ntk->seq_len, ntk->max_position_embeddings);
    const double factor = ntk->factor * length / ntk->max_position_embeddings - (ntk->factor - 1.0);
    return plain_inv_freq<T>(rope.dim, ntk_theta(rope, factor));
  }
  Tensor<T> out = plain_inv_freq<T>(rope.dim, rope.theta);
  if (const auto* linear = std::get_if<LinearRope>(&rope.scaling)) {
    for (T& f : out.data) f = f / T(linear->factor);
  }
  return out;
}

}  // namespace fathom::kernels::ref
