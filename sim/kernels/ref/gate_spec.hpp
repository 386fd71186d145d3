#pragma once

#include <cstdint>

#include "kernels/ref/router_scores.hpp"

namespace fathom::kernels::ref {

/// What stands for a group of experts when groups (nodes) are chosen: V2 takes its best expert, V3
/// the sum of its two best biased ones, V3's inference/model.py the latter only if there is a bias.
enum class GroupScore { two_best_if_biased, best, two_best };
/// The ranking value of experts in groups that were not chosen. Zero (HF, VL2) can win against
/// negative biased scores, minus infinity (DeepSeek) cannot.
enum class Excluded { minus_infinity, zero };
/// Whether the chosen weights are divided by their sum (HF `norm_topk_prob`).
enum class Renormalise { unless_softmax, never, always };

/// A top-k router. Defaults are those of DeepSeek-V3 inference/model.py (Gate.forward); V4 is
/// `score = sqrt_softplus`, V2 `score = softmax, group_score = best, excluded = zero`.
struct GateSpec {
  std::int64_t num_experts_per_tok = 1;  // K_r
  std::int64_t n_group = 1;
  std::int64_t topk_group = 1;  // groups that one token may use; M when a group is a node
  ScoreFunction score = ScoreFunction::sigmoid;
  GroupScore group_score = GroupScore::two_best_if_biased;
  Excluded excluded = Excluded::minus_infinity;
  Renormalise renormalise = Renormalise::unless_softmax;
  double routed_scaling_factor = 1.0;
  double weight_sum_floor = 0.0;  // 1e-20 in HF, VL2 and TileKernels; DeepSeek's own code has none
  bool rank_by_logits = false;    // TileKernels' softmax router: choose by logit + bias
};

inline bool renormalises(const GateSpec& spec) {
  if (spec.renormalise != Renormalise::unless_softmax)
    return spec.renormalise == Renormalise::always;
  return spec.score != ScoreFunction::softmax;
}

template <class T>
struct GateResult {
  Tensor<T> scores;        // [tokens, experts], without bias
  Tensor<T> group_scores;  // [tokens, n_group]; empty when n_group is 1
  Indices indices;         // [tokens, num_experts_per_tok], best first
  Tensor<T> weights;       // like indices
};

}  // namespace fathom::kernels::ref
