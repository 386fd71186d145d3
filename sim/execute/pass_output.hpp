#pragma once

#include <cstdint>

#include "kernels/tensor.hpp"

namespace fathom::execute {

/// What a pass over some tokens gives to whoever decodes.
template <class T>
struct PassOutput {
  kernels::Tensor<T> logits;  // [rows, vocab]: every token's, or the last one's only
  kernels::Tensor<T> hidden;  // what an MTP module takes, one slice per token
};

enum class LogitRows : std::uint8_t { all, last };

/// Slices [first, first + count) of the first dimension.
template <class T>
kernels::Tensor<T> slices(const kernels::Tensor<T>& x, std::int64_t first, std::int64_t count) {
  kernels::Shape shape = x.shape;
  shape[0] = count;
  const auto begin = x.data.begin() + static_cast<std::ptrdiff_t>(first * x.slice_size());
  return {shape, {begin, begin + static_cast<std::ptrdiff_t>(count * x.slice_size())}};
}

}  // namespace fathom::execute
