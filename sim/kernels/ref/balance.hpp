#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>

#include "kernels/ref/linear.hpp"

namespace fathom::kernels::ref {

/// Rows per expert (or rank) of a perfectly even split.
inline double mean_load(std::span<const std::int64_t> load) {
  return std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(load.size());
}

/// MaxVio: how far the fullest expert is above the mean, max / mean - 1 (arXiv 2408.15664,
/// equation 4); 0 at perfect balance.
inline double max_violation(std::span<const std::int64_t> load) {
  return static_cast<double>(std::ranges::max(load)) / mean_load(load) - 1.0;
}

/// Auxiliary-loss-free balancing (V3 report, section 2.1.2; arXiv 2408.15664, algorithm 1): after a
/// step, b_i += u * sign(mean load - load_i). The bias only ever enters the choice of experts.
template <class T>
void update_bias(Tensor<T>& bias, std::span<const std::int64_t> load, double bias_update_speed) {
  FATHOM_EXPECT(bias.size() == static_cast<std::int64_t>(load.size()), "one load per expert");
  const double mean = mean_load(load);
  for (std::int64_t e = 0; e < bias.size(); ++e) {
    const auto own = static_cast<double>(load[static_cast<std::size_t>(e)]);
    if (own < mean) bias[e] += static_cast<T>(bias_update_speed);
    if (own > mean) bias[e] -= static_cast<T>(bias_update_speed);
  }
}

}  // namespace fathom::kernels::ref
