#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "kernels/ref/gate_spec.hpp"
#include "kernels/ref/linear.hpp"
#include "kernels/ref/router_scores.hpp"
#include "kernels/ref/top_k.hpp"
#include "kernels/ref/trace.hpp"

namespace fathom::kernels::ref {

/// Logits of every token: x [..., dim], weight [experts, dim] -> [tokens, experts].
template <class T>
Tensor<T> router_logits(const Tensor<T>& x, const Tensor<T>& weight) {
  const OpScope scope{"gate"};
  return linear(x, weight).reshaped({x.rows(), weight.dim(0)});
}

/// Scores of the groups of one token: ranking [experts] -> out [n_group].
template <class T>
void score_groups(std::span<const T> ranking, bool two_best, std::span<T> out) {
  const std::size_t width = ranking.size() / out.size();
  for (std::size_t g = 0; g < out.size(); ++g) {
    const auto group = ranking.subspan(g * width, width);
    const auto best = top_indices<T>(group, std::min<std::int64_t>(two_best ? 2 : 1, group.size()));
    out[g] = group[static_cast<std::size_t>(best[0])];
    if (best.size() == 2) out[g] += group[static_cast<std::size_t>(best[1])];
  }
}

/// Takes experts of all but the best `topk_group` groups out of one token's ranking.
template <class T>
void limit_groups(const GateSpec& spec, std::span<const T> group_scores, std::span<T> ranking) {
  const std::size_t width = ranking.size() / group_scores.size();
  const auto best = top_indices<T>(group_scores, spec.topk_group);
  const double excluded =
      spec.excluded == Excluded::zero ? 0.0 : -std::numeric_limits<double>::infinity();
  for (std::size_t g = 0; g < group_scores.size(); ++g) {
    if (std::ranges::find(best, static_cast<std::int64_t>(g)) != best.end()) continue;
    std::ranges::fill(ranking.subspan(g * width, width), static_cast<T>(excluded));
  }
}

/// Every token's choices in ascending order of expert: what compares routings that differ in order.
inline Indices sorted_choices(Indices indices) {
  for (std::int64_t t = 0; t < indices.rows(); ++t) std::ranges::sort(indices.row(t));
  return indices;
}

/// Weights of one token's chosen experts from its unbiased scores [experts].
template <class T>
void weigh(const GateSpec& spec, std::span<const T> scores, std::span<const std::int64_t> chosen,
           std::span<T> weights) {
  Sum<T> sum{0};
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    weights[k] = scores[static_cast<std::size_t>(chosen[k])];
    sum += static_cast<Sum<T>>(weights[k]);
  }
  const bool renormalise = renormalises(spec);
  if (renormalise && sum < Sum<T>{spec.weight_sum_floor}) sum = Sum<T>{spec.weight_sum_floor};
  for (T& w : weights) {
    if (renormalise) w = static_cast<T>(static_cast<Sum<T>>(w) / sum);
    w *= static_cast<T>(spec.routed_scaling_factor);
  }
}

/// Weights for experts that were chosen elsewhere: logits [tokens, experts], chosen [tokens, k].
/// The hash layers of V4 take them from a table by token id.
template <class T>
GateResult<T> gate_chosen(const GateSpec& spec, const Tensor<T>& logits, const Indices& chosen) {
  const OpScope scope{"gate_topk"};
  FATHOM_EXPECT(chosen.rows() == logits.rows(), "experts chosen for other tokens");
  FATHOM_EXPECT(
      std::ranges::all_of(chosen.data, [&](auto e) { return e >= 0 && e < logits.dim(-1); }),
      "no such expert");
  GateResult<T> out{.scores = router_scores<T>(spec.score, logits),
                    .indices = chosen,
                    .weights = Tensor<T>{chosen.shape}};
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    weigh<T>(spec, out.scores.row(t), chosen.row(t), out.weights.row(t));
  }
  return out;
}

/// Routes every token: logits [tokens, experts], bias [experts] or empty. The bias takes part in
/// choosing groups and experts, never in the weights (V3 report, section 2.1.2).
template <class T>
GateResult<T> gate_topk(const GateSpec& spec, const Tensor<T>& logits, const Tensor<T>& bias = {}) {
  const OpScope scope{"gate_topk"};
  const std::int64_t tokens = logits.rows();
  FATHOM_EXPECT(spec.n_group >= 1 && logits.dim(-1) % spec.n_group == 0, "groups of unequal size");
  FATHOM_EXPECT(bias.empty() || bias.size() == logits.dim(-1), "bias of another width");
  const bool two_best = spec.group_score == GroupScore::two_best ||
                        (spec.group_score == GroupScore::two_best_if_biased && !bias.empty());
  GateResult<T> out{.scores = router_scores<T>(spec.score, logits),
                    .group_scores = Tensor<T>{Shape{spec.n_group > 1 ? tokens : 0, spec.n_group}},
                    .indices = Indices{Shape{tokens, spec.num_experts_per_tok}},
                    .weights = Tensor<T>{Shape{tokens, spec.num_experts_per_tok}}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto scores = out.scores.row(t);
    const auto base = spec.rank_by_logits ? logits.row(t) : scores;
    std::vector<T> ranking(base.begin(), base.end());
    for (std::int64_t e = 0; e < bias.size(); ++e) ranking[static_cast<std::size_t>(e)] += bias[e];
    if (spec.n_group > 1) {
      score_groups<T>(ranking, two_best, out.group_scores.row(t));
      limit_groups<T>(spec, out.group_scores.row(t), ranking);
    }
    const auto chosen = top_indices<T>(ranking, spec.num_experts_per_tok);
    std::ranges::copy(chosen, out.indices.row(t).begin());
    weigh<T>(spec, scores, chosen, out.weights.row(t));
  }
  return out;
}

/// Router as a whole: x [..., dim], weight [experts, dim], bias [experts] or empty.
template <class T>
GateResult<T> gate(const GateSpec& spec, const Tensor<T>& x, const Tensor<T>& weight,
                   const Tensor<T>& bias = {}) {
  return gate_topk(spec, router_logits(x, weight), bias);
}

}  // namespace fathom::kernels::ref
