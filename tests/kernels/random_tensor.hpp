#pragma once

#include <cstdint>
#include <random>

#include "kernels/tensor.hpp"

namespace fathom::kernels::test {

/// Values in (-range, range), the same everywhere for equal arguments.
inline Tensor<double> random_tensor(Shape shape, std::uint64_t seed, double range = 1.0) {
  std::mt19937_64 engine{seed};
  Tensor<double> x{std::move(shape)};
  for (double& v : x.data) {
    v = range * (2.0 * static_cast<double>(engine() >> 11U) * 0x1p-53 - 1.0);
  }
  return x;
}

/// (f(x + h e_i) - f(x - h e_i)) / 2h for every element i: what a gradient must be close to.
template <class Function>
Tensor<double> numeric_gradient(const Function& f, Tensor<double> x, double step = 1e-5) {
  Tensor<double> grad{x.shape};
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + step;
    const double above = f(x);
    x[i] = at - step;
    grad[i] = (above - f(x)) / (2.0 * step);
    x[i] = at;
  }
  return grad;
}

inline double max_difference(const Tensor<double>& a, const Tensor<double>& b) {
  double worst = a.shape == b.shape ? 0.0 : 1e300;
  for (std::int64_t i = 0; i < a.size() && a.shape == b.shape; ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

}  // namespace fathom::kernels::test
