#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rl/masked.hpp"

namespace fathom::rl {

/// Estimators of KL(policy || reference) from one sample per token (Schulman, "Approximating KL
/// divergence", 2020), with d = log policy - log reference.
enum class KlEstimator {
  k1,        ///< d: unbiased, may be negative
  absolute,  ///< |d|
  k2,        ///< d^2 / 2
  k3,  ///< exp(-d) + d - 1: unbiased and never negative; GRPO's (arXiv 2402.03300, equation 4)
};

/// k3 clamps d to +-20 before the exponential and its result to +-10.
inline constexpr double kMaxLogDifference = 20.0;
inline constexpr double kMaxK3 = 10.0;

template <class T>
T kl_estimate(const T& difference, KlEstimator estimator) {
  using std::abs;
  using std::exp;
  switch (estimator) {
    case KlEstimator::k1:
      return difference;
    case KlEstimator::absolute:
      return abs(difference);
    case KlEstimator::k2:
      return static_cast<T>(0.5) * difference * difference;
    case KlEstimator::k3:
      break;
  }
  const auto bound = static_cast<T>(kMaxLogDifference);
  const auto top = static_cast<T>(kMaxK3);
  const T d = std::clamp<T>(-difference, -bound, bound);
  return std::clamp<T>(exp(d) - d - T{1}, -top, top);
}

/// Per token: logp, ref_logp [batch, length].
template <class T>
Tensor<T> kl_penalty(const Tensor<T>& logp, const Tensor<T>& ref_logp, KlEstimator estimator) {
  return each_token(
      logp, [&](std::int64_t i) { return kl_estimate<T>(logp[i] - ref_logp[i], estimator); });
}

/// Token rewards less `coefficient` times the k1 estimate: the penalty inside the reward of PPO for
/// language models (arXiv 2203.02155, equation 2).
template <class T>
Tensor<T> rewards_with_kl(const Tensor<T>& rewards, const Tensor<T>& old_logp,
                          const Tensor<T>& ref_logp, double coefficient) {
  const auto weight = static_cast<T>(coefficient);
  return each_token(
      rewards, [&](std::int64_t i) { return rewards[i] - (old_logp[i] - ref_logp[i]) * weight; });
}

}  // namespace fathom::rl
