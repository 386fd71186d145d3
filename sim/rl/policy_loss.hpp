#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rl/masked.hpp"

namespace fathom::rl {

/// Clipping of the importance ratio pi_new / pi_old (PPO, arXiv 1707.06347, equation 7).
struct ClipSpec {
  double low = 0.2;
  double high = 0.2;  // larger than low: "clip-higher" (DAPO, arXiv 2503.14476)
  double dual = 3.0;  // bound on the ratio where the advantage is negative (arXiv 1912.09729)
};

/// Log-ratios are clamped to this before the exponential.
inline constexpr double kMaxLogRatio = 20.0;

/// One token's loss and what produced it.
template <class T>
struct TokenLoss {
  T loss{0};
  T slope{0};            // d loss / d log pi_new
  bool clipped = false;  // the clipped ratio set the loss, before the dual bound
  bool dual_clipped = false;
};

/// -min(ratio A, clip(ratio) A), and no more than -dual A where A < 0.
template <class T>
TokenLoss<T> token_policy_loss(const T& log_ratio, const T& advantage, const ClipSpec& clip) {
  using std::exp;
  const auto bound = static_cast<T>(kMaxLogRatio);
  const bool saturated = log_ratio < -bound || log_ratio > bound;
  const T ratio = exp(std::clamp<T>(log_ratio, -bound, bound));
  const T limited =
      std::clamp<T>(ratio, static_cast<T>(1.0 - clip.low), static_cast<T>(1.0 + clip.high));
  const T plain_loss = -advantage * ratio;
  const T limited_loss = -advantage * limited;
  const T dual_loss = -advantage * static_cast<T>(clip.dual);
  TokenLoss<T> out;
  out.clipped = limited_loss > plain_loss;
  out.loss = out.clipped ? limited_loss : plain_loss;
  // Where the clipped value wins the ratio is out of range, and the clip's slope is zero.
  out.slope = out.clipped || saturated ? T{0} : plain_loss;
  out.dual_clipped = advantage < T{0} && out.loss > dual_loss;
  if (out.dual_clipped) {
    out.loss = dual_loss;
    out.slope = T{0};
  }
  return out;
}

/// What the policy is trained on, all [batch, length].
template <class T>
struct PolicyBatch {
  Tensor<T> new_logp;  // log-probability of the taken token under the policy in training
  Tensor<T> old_logp;  // under the policy that produced it
  Tensor<T> advantages;
  Tensor<T> mask;
};

template <class T>
struct PolicyLoss {
  T loss{0};
  T clip_fraction{0};       // of tokens
  T dual_clip_fraction{0};  // of tokens
  T approximate_kl{0};      // mean of old - new log-probabilities
  Tensor<T> gradient;       // d loss / d new_logp [batch, length]
};

/// Clipped policy loss over a batch and its gradient.
template <class T>
PolicyLoss<T> policy_loss(const PolicyBatch<T>& batch, const ClipSpec& clip, Aggregation how) {
  const Tensor<T>& mask = batch.mask;
  Tensor<T> loss{mask.shape};
  Tensor<T> clipped{mask.shape};
  Tensor<T> dual{mask.shape};
  Tensor<T> kl{mask.shape};
  PolicyLoss<T> out{.gradient = Tensor<T>{mask.shape}};
  const std::vector<Sum<T>> divisors = loss_divisors(mask, how);
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == T{0}) continue;
    const T log_ratio = batch.new_logp[i] - batch.old_logp[i];
    const auto bound = static_cast<T>(kMaxLogRatio);
    const TokenLoss<T> token = token_policy_loss(log_ratio, batch.advantages[i], clip);
    loss[i] = token.loss;
    clipped[i] = token.clipped ? T{1} : T{0};
    dual[i] = token.dual_clipped ? T{1} : T{0};
    kl[i] = -std::clamp<T>(log_ratio, -bound, bound);
    const Sum<T>& divisor = divisors[static_cast<std::size_t>(i / mask.dim(-1))];
    const Sum<T> weight = static_cast<Sum<T>>(mask[i]) / divisor;
    out.gradient[i] = static_cast<T>(static_cast<Sum<T>>(token.slope) * weight);
  }
  out.loss = aggregate(loss, mask, how);
  out.clip_fraction = masked_mean(clipped, mask);
  out.dual_clip_fraction = masked_mean(dual, mask);
  out.approximate_kl = masked_mean(kl, mask);
  return out;
}

}  // namespace fathom::rl
