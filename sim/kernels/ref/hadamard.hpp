#pragma once

#include <bit>
#include <cmath>
#include <span>

#include "kernels/tensor.hpp"

namespace fathom::kernels::ref {

/// In place: Sylvester's Hadamard matrix times the row, over sqrt(dim), so that dot products are
/// kept while outliers spread over all elements before quantisation (DeepSeek-V3.2-Exp
/// inference/model.py, rotate_activation). The dimension is a power of two.
template <class T>
void hadamard_row(std::span<T> x) {
  FATHOM_EXPECT(std::has_single_bit(x.size()), "Hadamard dimension must be a power of two");
  for (std::size_t half = 1; half < x.size(); half *= 2) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if ((i & half) != 0) continue;
      const T a = x[i];
      const T b = x[i + half];
      x[i] = a + b;
      x[i + half] = a - b;
    }
  }
  const T scale = T(1.0 / std::sqrt(static_cast<double>(x.size())));
  for (T& v : x) v *= scale;
}

template <class T>
Tensor<T> hadamard(Tensor<T> x) {
  for (std::int64_t r = 0; r < x.rows(); ++r) hadamard_row<T>(x.row(r));
  return x;
}

}  // namespace fathom::kernels::ref
