#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "core/error.hpp"

namespace fathom::kernels::ref {

/// Positions of the k largest values, best first; the lowest position wins among equals
/// (TileKernels torch/topk.py, stable_topk).
template <class T>
std::vector<std::int64_t> top_indices(std::span<const T> values, std::int64_t k) {
  FATHOM_EXPECT(k >= 0 && k <= static_cast<std::int64_t>(values.size()), "top-k of fewer values");
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
    return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(k));
  return order;
}

}  // namespace fathom::kernels::ref
