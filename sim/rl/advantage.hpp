#pragma once

#include <cmath>
#include <cstdint>
#include <map>

#include "rl/masked.hpp"

namespace fathom::rl {

using kernels::Indices;

/// How a response's score is compared with its group, the responses to one prompt.
enum class Baseline {
  grpo,  ///< (score - mean) / (sample standard deviation + epsilon): arXiv 2402.03300, section 4.1
  dr_grpo,  ///< score - mean: arXiv 2503.20783
  rloo,     ///< score - mean of the others: arXiv 2402.14740
};

/// Added to a group's standard deviation.
inline constexpr double kGroupEpsilon = 1e-6;

/// Sums over the scores of one group.
template <class T>
struct GroupMoments {
  std::int64_t count = 0;
  Sum<T> mean{0};
  Sum<T> deviation{1};  // sample standard deviation; 1 in a group of one
};

/// Moments of each group: scores [batch], group [batch].
template <class T>
std::map<std::int64_t, GroupMoments<T>> group_moments(const std::vector<Sum<T>>& scores,
                                                      const Indices& group) {
  using std::sqrt;
  std::map<std::int64_t, GroupMoments<T>> out;
  for (std::int64_t i = 0; i < group.size(); ++i) {
    GroupMoments<T>& g = out[group[i]];
    ++g.count;
    g.mean += scores[static_cast<std::size_t>(i)];
  }
  std::map<std::int64_t, Sum<T>> squares;
  for (auto& [id, g] : out) g.mean = g.mean / static_cast<Sum<T>>(g.count);
  for (std::int64_t i = 0; i < group.size(); ++i) {
    const Sum<T> centred = scores[static_cast<std::size_t>(i)] - out[group[i]].mean;
    squares[group[i]] += centred * centred;
  }
  for (auto& [id, g] : out) {
    // A response without siblings has nothing to be compared with: its raw score is its advantage.
    if (g.count == 1) g.mean = Sum<T>{0};
    if (g.count > 1) g.deviation = sqrt(squares[id] / static_cast<Sum<T>>(g.count - 1));
  }
  return out;
}

/// One score against its group.
template <class T>
Sum<T> relative_score(const Sum<T>& score, const GroupMoments<T>& g, Baseline baseline) {
  const Sum<T> centred = score - g.mean;
  if (baseline == Baseline::dr_grpo || (baseline == Baseline::rloo && g.count == 1)) return centred;
  if (baseline == Baseline::grpo) {
    return centred / (g.deviation + static_cast<Sum<T>>(kGroupEpsilon));
  }
  // score - (n mean - score) / (n - 1), rearranged.
  return centred * static_cast<Sum<T>>(g.count) / static_cast<Sum<T>>(g.count - 1);
}

/// Group-relative advantages: every token of a response gets the response's, masked-out ones get 0.
/// rewards [batch, length] sum to the response's score, group [batch].
template <class T>
Tensor<T> group_advantage(const Tensor<T>& rewards, const Tensor<T>& mask, const Indices& group,
                          Baseline baseline) {
  FATHOM_EXPECT(rewards.rows() == group.size(), "one group per response");
  std::vector<Sum<T>> scores;
  for (std::int64_t s = 0; s < rewards.rows(); ++s) {
    Sum<T> score{0};
    for (const T& reward : rewards.row(s)) score += static_cast<Sum<T>>(reward);
    scores.push_back(score);
  }
  const auto moments = group_moments<T>(scores, group);
  return each_token(rewards, [&](std::int64_t i) {
    const std::int64_t s = i / rewards.dim(-1);
    const Sum<T>& score = scores[static_cast<std::size_t>(s)];
    return static_cast<T>(relative_score<T>(score, moments.at(group[s]), baseline)) * mask[i];
  });
}

/// Discounts of generalised advantage estimation.
struct GaeSpec {
  double gamma = 1.0;
  double lambda = 1.0;
};

template <class T>
struct Gae {
  Tensor<T> advantages;  // before whitening
  Tensor<T> returns;     // advantages + values
  Tensor<T> whitened;    // advantages the policy loss uses
};

/// Generalised advantage estimation (arXiv 1506.02438, equation 16), from the last token back:
/// delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lambda A_{t+1}. A masked-out token
/// hands the next token's value and advantage through unchanged.
template <class T>
Gae<T> gae(const Tensor<T>& rewards, const Tensor<T>& values, const Tensor<T>& mask,
           const GaeSpec& spec) {
  const auto gamma = static_cast<T>(spec.gamma);
  const auto decay = static_cast<T>(spec.gamma * spec.lambda);
  const std::int64_t length = values.dim(-1);
  Gae<T> out{.advantages = Tensor<T>{values.shape}};
  for (std::int64_t s = 0; s < values.rows(); ++s) {
    T next_value{0};
    T next_advantage{0};
    for (std::int64_t i = (s + 1) * length; i-- > s * length;) {
      if (mask[i] != T{0}) {
        const T delta = rewards[i] + gamma * next_value - values[i];
        next_advantage = delta + decay * next_advantage;
        next_value = values[i];
      }
      out.advantages[i] = next_advantage;
    }
  }
  out.returns = each_token(values, [&](std::int64_t i) { return out.advantages[i] + values[i]; });
  out.whitened = masked_whiten(out.advantages, mask);
  return out;
}

}  // namespace fathom::rl
