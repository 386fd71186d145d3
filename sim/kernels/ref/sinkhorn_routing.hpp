#pragma once

#include <cmath>
#include <vector>

#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// Sinkhorn routing (S-BASE, arXiv 2202.01169; Megatron-LM moe_utils.py, sinkhorn): exp(logits)
/// [tokens, experts] scaled by rows and columns until rows sum to about 1/tokens and columns to
/// 1/experts. Stops when the mean change of the column factors is at most `tolerance`. Training
/// takes the top-k of the result, weighted by the scores of the plain logits.
template <class T>
Tensor<T> sinkhorn_routing(const Tensor<T>& logits, double tolerance = 1e-4) {
  using std::abs;
  using std::exp;
  constexpr double kFloor = 1e-8;  // the source's guard of both divisions
  // The source has no limit; a tolerance below the rounding of the factors would never be met.
  constexpr int kMostIterations = 10000;
  const std::int64_t tokens = logits.rows();
  const std::int64_t experts = logits.dim(-1);
  Tensor<T> mass{logits.shape};
  for (std::int64_t i = 0; i < mass.size(); ++i) mass[i] = exp(logits[i]);
  std::vector<T> row(static_cast<std::size_t>(tokens), T{1});
  std::vector<T> column(static_cast<std::size_t>(experts), T{1});
  const auto factor = [&](std::int64_t share, const Sum<T>& sum) {
    return static_cast<T>(Sum<T>{1} / (static_cast<Sum<T>>(share) * (sum + Sum<T>{kFloor})));
  };
  Sum<T> change{1e9};
  for (int i = 0; i < kMostIterations && change > Sum<T>{tolerance}; ++i) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      row[static_cast<std::size_t>(t)] =
          factor(tokens, static_cast<Sum<T>>(dot<T>(mass.row(t), column)));
    }
    change = Sum<T>{0};
    for (std::int64_t e = 0; e < experts; ++e) {
      Sum<T> sum{0};
      for (std::int64_t t = 0; t < tokens; ++t) {
        multiply_add<T>(sum, row[static_cast<std::size_t>(t)], mass[t * experts + e]);
      }
      T& old = column[static_cast<std::size_t>(e)];
      const T next = factor(experts, sum);
      change += static_cast<Sum<T>>(abs(old - next)) / static_cast<Sum<T>>(experts);
      old = next;
    }
  }
  for (std::int64_t i = 0; i < mass.size(); ++i) {
    mass[i] *=
        column[static_cast<std::size_t>(i % experts)] * row[static_cast<std::size_t>(i / experts)];
  }
  return mass;
}

}  // namespace fathom::kernels::ref
