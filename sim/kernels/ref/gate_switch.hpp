#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/ref/gate.hpp"

namespace fathom::kernels::ref {

/// Switch Transformer (arXiv 2101.03961, section 2.1): the one best expert, weighted by its softmax
/// probability.
inline GateSpec switch_gate() { return {.score = ScoreFunction::softmax}; }

/// Mixtral (arXiv 2401.04088, section 2.1): softmax over the logits of the k best, which is the
/// softmax over all, cut and renormalised.
inline GateSpec mixtral_gate(std::int64_t num_experts_per_tok) {
  return {.num_experts_per_tok = num_experts_per_tok,
          .score = ScoreFunction::softmax,
          .renormalise = Renormalise::always};
}

/// The two matrices of a noisy router, [experts, dim] each.
template <class T>
struct NoisyGateWeights {
  Tensor<T> gate;
  Tensor<T> noise;
};

/// Noisy top-k gating (Shazeer et al. 2017, arXiv 1701.06538, equations 3 to 5): logits
/// x W_g + noise * softplus(x W_noise), then softmax over the k best. `noise` [tokens, experts] is
/// drawn by the caller from N(0, 1).
template <class T>
GateResult<T> noisy_topk_gate(const Tensor<T>& x, const NoisyGateWeights<T>& weights,
                              const Tensor<T>& noise, std::int64_t num_experts_per_tok) {
  Tensor<T> logits = router_logits(x, weights.gate);
  const Tensor<T> spread = router_logits(x, weights.noise);
  FATHOM_EXPECT(noise.size() == logits.size(), "noise of another shape than the logits");
  for (std::int64_t i = 0; i < logits.size(); ++i) logits[i] += noise[i] * softplus(spread[i]);
  return gate_topk(mixtral_gate(num_experts_per_tok), logits);
}

/// Rows one expert takes at most: ceil(tokens * choices / experts * factor), as in Megatron-LM
/// moe_utils.py (get_capacity).
inline std::int64_t expert_capacity(std::int64_t pairs, std::int64_t experts, double factor) {
  const double share = static_cast<double>(pairs) / static_cast<double>(experts);
  return static_cast<std::int64_t>(std::ceil(share * factor));
}

/// Which rows a full expert keeps: the first tokens of the batch, or those of the largest weight.
enum class DropPolicy { position, probability };

struct Capacity {
  std::int64_t per_expert = 0;
  std::int64_t dropped = 0;  // (token, choice) pairs
  Indices kept;              // [tokens, choices]: 1 or 0
};

/// Applies `per_expert` to a routing. A dropped pair adds nothing to its token, whose other weights
/// stay as they are.
template <class T>
Capacity limit_capacity(const GateResult<T>& gate, std::int64_t experts, std::int64_t per_expert,
                        DropPolicy policy = DropPolicy::position) {
  Capacity out{.per_expert = per_expert, .kept = Indices{gate.indices.shape}};
  std::vector<std::int64_t> order(static_cast<std::size_t>(gate.indices.size()));
  std::iota(order.begin(), order.end(), 0);
  if (policy == DropPolicy::probability) {
    std::ranges::stable_sort(
        order, [&](std::int64_t a, std::int64_t b) { return gate.weights[a] > gate.weights[b]; });
  }
  std::vector<std::int64_t> taken(static_cast<std::size_t>(experts));
  for (const std::int64_t slot : order) {
    auto& rows = taken.at(static_cast<std::size_t>(gate.indices[slot]));
    const bool keeps = rows < per_expert;
    out.kept[slot] = keeps ? 1 : 0;
    if (keeps) ++rows;
    if (!keeps) ++out.dropped;
  }
  return out;
}

}  // namespace fathom::kernels::ref
