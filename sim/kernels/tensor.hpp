#pragma once

#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace fathom::kernels {

using Shape = std::vector<std::int64_t>;

inline std::int64_t element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>{});
}

/// Dense row-major array, the only container of the reference kernels. A "row" runs along the last
/// dimension, a "slice" is everything below one index of the first.
template <class T>
struct Tensor {
  Shape shape;
  std::vector<T> data;

  Tensor() = default;
  explicit Tensor(Shape dims) : shape(std::move(dims)), data(index(element_count(shape))) {}
  Tensor(Shape dims, std::vector<T> values) : shape(std::move(dims)), data(std::move(values)) {
    FATHOM_EXPECT(index(element_count(shape)) == data.size(), "shape and values differ in size");
  }

  bool empty() const { return data.empty(); }
  std::int64_t size() const { return static_cast<std::int64_t>(data.size()); }
  /// Length along dimension `axis`; negative axes count from the last.
  std::int64_t dim(int axis) const {
    return shape.at(index(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis));
  }
  std::int64_t rows() const { return dim(-1) == 0 ? 0 : size() / dim(-1); }
  std::int64_t slice_size() const { return dim(0) == 0 ? 0 : size() / dim(0); }

  std::span<T> row(std::int64_t i) { return span(i * dim(-1), dim(-1)); }
  std::span<const T> row(std::int64_t i) const { return span(i * dim(-1), dim(-1)); }
  std::span<T> slice(std::int64_t i) { return span(i * slice_size(), slice_size()); }
  std::span<const T> slice(std::int64_t i) const { return span(i * slice_size(), slice_size()); }

  T& operator[](std::int64_t i) { return data[index(i)]; }
  const T& operator[](std::int64_t i) const { return data[index(i)]; }

  /// The same values under another shape of the same size.
  Tensor reshaped(Shape dims) const& { return Tensor{std::move(dims), data}; }
  Tensor reshaped(Shape dims) && { return Tensor{std::move(dims), std::move(data)}; }

  bool operator==(const Tensor&) const = default;

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::span<T> span(std::int64_t begin, std::int64_t count) {
    FATHOM_EXPECT(begin >= 0 && begin + count <= size(), "outside of the tensor");
    return std::span<T>{data}.subspan(index(begin), index(count));
  }
  std::span<const T> span(std::int64_t begin, std::int64_t count) const {
    FATHOM_EXPECT(begin >= 0 && begin + count <= size(), "outside of the tensor");
    return std::span<const T>{data}.subspan(index(begin), index(count));
  }
};

using Indices = Tensor<std::int64_t>;

/// Slice `i` of the first dimension as a tensor of its own.
template <class T>
Tensor<T> slice_of(const Tensor<T>& x, std::int64_t i) {
  const auto values = x.slice(i);
  return {Shape(x.shape.begin() + 1, x.shape.end()), {values.begin(), values.end()}};
}

/// `x` converted element by element, as test data or weights enter a kernel of another scalar.
template <class To, class From>
Tensor<To> converted(const Tensor<From>& x) {
  Tensor<To> out{x.shape};
  for (std::int64_t i = 0; i < x.size(); ++i) out[i] = static_cast<To>(x[i]);
  return out;
}

}  // namespace fathom::kernels
