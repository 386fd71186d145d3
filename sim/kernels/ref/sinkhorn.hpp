#pragma once

#include <cstdint>
#include <span>

#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// A square matrix stored row by row inside a tensor.
template <class T>
struct SquareView {
  std::span<T> data;
  std::size_t n = 0;
  T& operator()(std::size_t i, std::size_t j) const { return data[i * n + j]; }
};

/// Divides each row of the matrix by its sum + eps.
template <class T>
void normalise_rows(SquareView<T> m, double eps) {
  for (std::size_t i = 0; i < m.n; ++i) {
    Sum<T> sum{eps};
    for (std::size_t j = 0; j < m.n; ++j) sum += static_cast<Sum<T>>(m(i, j));
    for (std::size_t j = 0; j < m.n; ++j) m(i, j) /= static_cast<T>(sum);
  }
}

/// Divides each column of the matrix by its sum + eps.
template <class T>
void normalise_columns(SquareView<T> m, double eps) {
  for (std::size_t j = 0; j < m.n; ++j) {
    Sum<T> sum{eps};
    for (std::size_t i = 0; i < m.n; ++i) sum += static_cast<Sum<T>>(m(i, j));
    for (std::size_t i = 0; i < m.n; ++i) m(i, j) /= static_cast<T>(sum);
  }
}

/// Sinkhorn-Knopp: logits [..., n, n] towards doubly stochastic matrices. Softmax of the rows +
/// eps, columns, then (iters - 1) times rows and columns. It ends on columns: rows sum to 1 only
/// nearly. Source: deepseek-ai/TileKernels, tile_kernels/torch/mhc.py.
template <class T>
Tensor<T> sinkhorn_normalise(const Tensor<T>& logits, std::int64_t iters, double eps) {
  FATHOM_EXPECT(logits.dim(-1) == logits.dim(-2), "sinkhorn needs square matrices");
  const auto n = static_cast<std::size_t>(logits.dim(-1));
  Tensor<T> out = logits;
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    softmax<T>(out.row(r));
    for (T& v : out.row(r)) v += T(eps);
  }
  for (std::size_t begin = 0; begin < out.data.size(); begin += n * n) {
    const SquareView<T> matrix{std::span<T>{out.data}.subspan(begin, n * n), n};
    normalise_columns(matrix, eps);
    for (std::int64_t i = 1; i < iters; ++i) {
      normalise_rows(matrix, eps);
      normalise_columns(matrix, eps);
    }
  }
  return out;
}

}  // namespace fathom::kernels::ref
