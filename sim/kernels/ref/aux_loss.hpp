#pragma once

#include <cstdint>
#include <vector>

#include "kernels/ref/router_scores.hpp"

namespace fathom::kernels::ref {

/// A loss and its gradient with respect to what it was computed from (scores or logits).
template <class T>
struct LossAndGradient {
  T loss{};
  Tensor<T> gradient;
};

/// Which tokens form the statistics: `sequences` equal runs of consecutive tokens (1: the whole
/// batch), without tokens whose mask [tokens] is 0 (empty: all count).
struct TokenGroups {
  std::int64_t sequences = 1;
  Indices mask = {};
  bool counts(std::int64_t token) const { return mask.empty() || mask[token] != 0; }
};

/// Tokens of every sequence that count: [sequences].
inline std::vector<std::int64_t> counted_tokens(const TokenGroups& groups, std::int64_t tokens) {
  FATHOM_EXPECT(groups.mask.empty() || groups.mask.size() == tokens, "a mask of other tokens");
  FATHOM_EXPECT(tokens % groups.sequences == 0, "sequences of unequal length");
  std::vector<std::int64_t> counted(static_cast<std::size_t>(groups.sequences));
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (groups.counts(t)) ++counted[static_cast<std::size_t>(t * groups.sequences / tokens)];
  }
  return counted;
}

/// How often every expert was chosen: indices [tokens, choices] -> [sequences, experts].
inline Indices expert_counts(const Indices& indices, std::int64_t experts,
                             const TokenGroups& groups = {}) {
  const std::int64_t tokens = indices.rows();
  FATHOM_EXPECT(groups.mask.empty() || groups.mask.size() == tokens, "a mask of other tokens");
  FATHOM_EXPECT(tokens > 0 && tokens % groups.sequences == 0, "sequences of unequal length");
  Indices counts{Shape{groups.sequences, experts}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t sequence = t * groups.sequences / tokens;
    for (const std::int64_t e : indices.row(t)) {
      FATHOM_EXPECT(e >= 0 && e < experts, "no such expert");
      if (groups.counts(t)) ++counts[sequence * experts + e];
    }
  }
  return counts;
}

/// f_i: an expert's choices relative to the mean, 1 for all at perfect balance: [sequences,
/// experts] (V2 report, arXiv 2405.04434, equation 24; TileKernels torch/moe.py, aux_fi).
template <class T>
Tensor<T> load_fractions(const Indices& indices, std::int64_t experts,
                         const TokenGroups& groups = {}) {
  const Indices counts = expert_counts(indices, experts, groups);
  const std::vector<std::int64_t> tokens = counted_tokens(groups, indices.rows());
  Tensor<T> f{counts.shape};
  for (std::int64_t i = 0; i < f.size(); ++i) {
    const auto pairs = indices.dim(-1) * tokens[static_cast<std::size_t>(i / experts)];
    f[i] = static_cast<T>(static_cast<double>(counts[i] * experts) / static_cast<double>(pairs));
  }
  return f;
}

/// alpha * mean over sequences of sum_e c_e P_e, P_e the mean score of expert e in the sequence:
/// the form of every balance loss below. The coefficients c [sequences, experts] are constants, so
/// the gradient by scores [tokens, experts] is alpha c_e / tokens.
template <class T>
LossAndGradient<T> mean_score_loss(const Tensor<T>& scores, const Tensor<T>& c, double alpha,
                                   const TokenGroups& groups = {}) {
  const std::int64_t tokens = scores.rows();
  const std::int64_t experts = scores.dim(-1);
  FATHOM_EXPECT(tokens > 0, "a loss of no tokens");
  FATHOM_EXPECT(c.size() == groups.sequences * experts, "one coefficient per sequence and expert");
  const std::vector<std::int64_t> counted = counted_tokens(groups, tokens);
  LossAndGradient<T> out{.gradient = Tensor<T>{scores.shape}};
  Sum<T> loss{0};
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (!groups.counts(t)) continue;
    const std::int64_t sequence = t * groups.sequences / tokens;
    const T share =
        static_cast<T>(alpha / static_cast<double>(groups.sequences *
                                                   counted[static_cast<std::size_t>(sequence)]));
    for (std::int64_t e = 0; e < experts; ++e) {
      T& grad = out.gradient[t * experts + e];
      grad = share * c[sequence * experts + e];
      multiply_add<T>(loss, grad, scores[t * experts + e]);
    }
  }
  out.loss = static_cast<T>(loss);
  return out;
}

/// Expert-level balance loss: alpha * sum_i f_i P_i. Switch Transformer (arXiv 2101.03961,
/// equation 4), Megatron-LM moe_utils.py (switch_load_balancing_loss_func), V2 report equation 23;
/// with one group per sequence V2's seq_aux, and V3's sequence-wise loss (V3 report, equation 17)
/// if the scores are normalised sigmoids. Scores [tokens, experts], indices [tokens, choices].
template <class T>
LossAndGradient<T> expert_balance_loss(const Tensor<T>& scores, const Indices& indices,
                                       double alpha, const TokenGroups& groups = {}) {
  return mean_score_loss(scores, load_fractions<T>(indices, scores.dim(-1), groups), alpha, groups);
}

/// Device-level balance loss (V2 report, equation 26): alpha * sum_d f'_d P'_d, with f' the mean f
/// and P' the sum of P over a device's experts. Experts lie on devices in equal consecutive runs.
template <class T>
LossAndGradient<T> device_balance_loss(const Tensor<T>& scores, const Indices& indices,
                                       std::int64_t devices, double alpha) {
  const std::int64_t experts = scores.dim(-1);
  FATHOM_EXPECT(experts % devices == 0, "devices with unequal numbers of experts");
  const std::int64_t own = experts / devices;
  const Tensor<T> f = load_fractions<T>(indices, experts);
  Tensor<T> c{f.shape};
  for (std::int64_t e = 0; e < experts; ++e) {
    for (std::int64_t j = 0; j < own; ++j) c[e] += f[e / own * own + j] / static_cast<T>(own);
  }
  return mean_score_loss(scores, c, alpha);
}

}  // namespace fathom::kernels::ref
