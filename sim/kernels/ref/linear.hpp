#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "kernels/counted.hpp"

namespace fathom::kernels::ref {

// Every template below takes float, double or Counted; sums run in Sum<T>.

template <class T>
T dot(std::span<const T> a, std::span<const T> b) {
  FATHOM_EXPECT(a.size() == b.size(), "dot of vectors of different length");
  Sum<T> sum{0};
  for (std::size_t i = 0; i < a.size(); ++i) multiply_add<T>(sum, a[i], b[i]);
  return static_cast<T>(sum);
}

/// y = x W^T: x [..., in], w [out, in] as checkpoints store it, y [..., out].
template <class T>
Tensor<T> linear(const Tensor<T>& x, const Tensor<T>& w) {
  FATHOM_EXPECT(x.dim(-1) == w.dim(-1), "linear: input width differs from the weight's");
  Shape shape = x.shape;
  shape.back() = w.dim(0);
  Tensor<T> y{shape};
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t o = 0; o < w.dim(0); ++o) {
      y.row(r)[static_cast<std::size_t>(o)] = dot<T>(x.row(r), w.row(o));
    }
  }
  return y;
}

/// One row through w [out, in].
template <class T>
std::vector<T> linear_row(std::span<const T> x, const Tensor<T>& w) {
  std::vector<T> y;
  y.reserve(static_cast<std::size_t>(w.dim(0)));
  for (std::int64_t o = 0; o < w.dim(0); ++o) y.push_back(dot<T>(x, w.row(o)));
  return y;
}

template <class T>
Tensor<T> add(const Tensor<T>& a, const Tensor<T>& b) {
  FATHOM_EXPECT(a.size() == b.size(), "add: tensors differ in size");
  Tensor<T> sum{a.shape};
  for (std::int64_t i = 0; i < a.size(); ++i) sum[i] = a[i] + b[i];
  return sum;
}

/// In place, over all of `scores`; entries of -infinity get weight zero, even when all are. `sink`
/// is an extra logit that takes part in the denominator only.
template <class T>
void softmax(std::span<T> scores, const T* sink = nullptr) {
  using std::exp;
  using std::isfinite;
  T top = sink != nullptr ? *sink : T(-std::numeric_limits<double>::infinity());
  for (const T& s : scores) top = std::max<T>(top, s);
  if (!isfinite(top)) {
    std::ranges::fill(scores, T(0));
    return;
  }
  Sum<T> sum{0};
  for (T& s : scores) {
    s = exp(s - top);
    sum += static_cast<Sum<T>>(s);
  }
  if (sink != nullptr) sum += static_cast<Sum<T>>(exp(*sink - top));
  for (T& s : scores) s = static_cast<T>(static_cast<Sum<T>>(s) / sum);
}

/// Index of the largest value, the lowest one among equals.
template <class T>
std::int64_t argmax(std::span<const T> values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

/// Table rows of the given ids: ids [...], table [vocab, dim] -> [..., dim].
template <class T>
Tensor<T> embedding(const Indices& ids, const Tensor<T>& table) {
  Shape shape = ids.shape;
  shape.push_back(table.dim(1));
  Tensor<T> out{shape};
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    FATHOM_EXPECT(ids[i] >= 0 && ids[i] < table.dim(0), "token id outside of the vocabulary");
    std::ranges::copy(table.row(ids[i]), out.row(i).begin());
  }
  return out;
}

}  // namespace fathom::kernels::ref
