#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/counted.hpp"

namespace fathom::rl {

using kernels::Sum;
using kernels::Tensor;

// Token quantities are tensors [batch, length]; a mask of ones and zeros marks the tokens that the
// policy produced. Formulas follow volcengine/verl (verl/utils/torch_functional.py and
// verl/trainer/ppo/core_algos.py). Masked-out values enter no sum, so they may be anything.

/// Keeps means over an empty mask finite.
inline constexpr double kMeanEpsilon = 1e-8;

/// A token-wise function of some tensors of one shape: element i is f(i).
template <class T, class F>
Tensor<T> each_token(const Tensor<T>& like, F f) {
  Tensor<T> out{like.shape};
  for (std::int64_t i = 0; i < out.size(); ++i) out[i] = f(i);
  return out;
}

template <class T>
Sum<T> masked_sum(std::span<const T> values, std::span<const T> mask) {
  FATHOM_EXPECT(values.size() == mask.size(), "a mask of another shape");
  Sum<T> sum{0};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (mask[i] != T{0}) sum += static_cast<Sum<T>>(values[i]) * static_cast<Sum<T>>(mask[i]);
  }
  return sum;
}

template <class T>
Sum<T> masked_mean(std::span<const T> values, std::span<const T> mask) {
  return masked_sum(values, mask) / (masked_sum(mask, mask) + static_cast<Sum<T>>(kMeanEpsilon));
}

template <class T>
T masked_mean(const Tensor<T>& values, const Tensor<T>& mask) {
  return static_cast<T>(masked_mean<T>(std::span{values.data}, std::span{mask.data}));
}

/// (values - mean) / sqrt(variance + 1e-8) with the unbiased variance of the masked tokens. Needs
/// two of them. Masked-out positions are shifted and scaled alike.
template <class T>
Tensor<T> masked_whiten(const Tensor<T>& values, const Tensor<T>& mask) {
  using std::sqrt;
  const std::span<const T> all{values.data};
  const std::span<const T> weights{mask.data};
  const Sum<T> count = masked_sum(weights, weights);
  FATHOM_EXPECT(count > Sum<T>{1}, "no variance of fewer than two tokens");
  const Sum<T> mean = masked_mean(all, weights);
  Sum<T> squares{0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (weights[i] == T{0}) continue;
    const Sum<T> centred = static_cast<Sum<T>>(all[i]) - mean;
    squares += centred * centred;
  }
  const Sum<T> biased = squares / (count + static_cast<Sum<T>>(kMeanEpsilon));
  const Sum<T> variance = biased * (count / (count - Sum<T>{1}));
  const Sum<T> scale = Sum<T>{1} / sqrt(variance + static_cast<Sum<T>>(1e-8));
  return each_token(values, [&](std::int64_t i) {
    return static_cast<T>((static_cast<Sum<T>>(values[i]) - mean) * scale);
  });
}

/// How token losses become one loss. The third is GRPO's published form (arXiv 2402.03300), the
/// first DAPO's (arXiv 2503.14476), the last Dr. GRPO's (arXiv 2503.20783). Sequences without a
/// token are left out of means.
enum class Aggregation {
  token_mean,               ///< mean over all tokens
  seq_mean_token_sum,       ///< mean over sequences of sums over tokens
  seq_mean_token_mean,      ///< mean over sequences of means over tokens
  seq_mean_token_sum_norm,  ///< sum over all tokens over the padded length
};

/// What each sequence's summed loss is divided by in the aggregate: [batch]. Zero only for
/// sequences without a token.
template <class T>
std::vector<Sum<T>> loss_divisors(const Tensor<T>& mask, Aggregation how) {
  Sum<T> all_tokens{0};
  Sum<T> sequences{0};
  std::vector<Sum<T>> tokens;
  for (std::int64_t s = 0; s < mask.rows(); ++s) {
    tokens.push_back(masked_sum<T>(mask.row(s), mask.row(s)));
    all_tokens += tokens.back();
    if (tokens.back() > Sum<T>{0}) sequences += Sum<T>{1};
  }
  for (Sum<T>& t : tokens) {
    switch (how) {
      case Aggregation::token_mean:
        t = all_tokens;
        break;
      case Aggregation::seq_mean_token_sum:
        t = sequences;
        break;
      case Aggregation::seq_mean_token_mean:
        t = sequences * (t + static_cast<Sum<T>>(kMeanEpsilon));
        break;
      case Aggregation::seq_mean_token_sum_norm:
        t = static_cast<Sum<T>>(mask.dim(-1));
        break;
    }
  }
  return tokens;
}

template <class T>
T aggregate(const Tensor<T>& loss, const Tensor<T>& mask, Aggregation how) {
  const std::vector<Sum<T>> divisors = loss_divisors(mask, how);
  Sum<T> total{0};
  for (std::int64_t s = 0; s < loss.rows(); ++s) {
    const Sum<T> sum = masked_sum<T>(loss.row(s), mask.row(s));
    // A sequence without a token has a zero sum, and perhaps a zero divisor.
    if (sum != Sum<T>{0}) total += sum / divisors[static_cast<std::size_t>(s)];
  }
  return static_cast<T>(total);
}

}  // namespace fathom::rl
