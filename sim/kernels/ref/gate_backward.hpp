#pragma once

#include <algorithm>

#include "kernels/ref/gate.hpp"

namespace fathom::kernels::ref {

/// d loss / d scores of one token from d loss / d weights of its chosen experts: with
/// w_k = c s_k / S and S the sum over the chosen, c / S (g_k - sum_j g_j s_j / S); without
/// renormalisation c g_k. The choice itself is a constant.
template <class T>
void weigh_backward(const GateSpec& spec, std::span<const T> scores,
                    std::span<const std::int64_t> chosen, std::span<const T> upstream,
                    std::span<T> grad_scores) {
  const auto score = [&](std::size_t k) { return scores[static_cast<std::size_t>(chosen[k])]; };
  const bool divides = renormalises(spec);
  Sum<T> sum{0};
  Sum<T> product{0};
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    sum += static_cast<Sum<T>>(score(k));
    multiply_add<T>(product, upstream[k], score(k));
  }
  const T scale = static_cast<T>(spec.routed_scaling_factor);
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    T& grad = grad_scores[static_cast<std::size_t>(chosen[k])];
    const T centred = divides
                          ? static_cast<T>((static_cast<Sum<T>>(upstream[k]) - product / sum) / sum)
                          : upstream[k];
    grad += scale * centred;
  }
}

/// d loss / d logits [tokens, experts] from d loss / d weights [tokens, choices] of a routing made
/// by gate_topk or gate_chosen on these logits.
template <class T>
Tensor<T> gate_backward(const GateSpec& spec, const Tensor<T>& logits, const GateResult<T>& gate,
                        const Tensor<T>& upstream) {
  Tensor<T> grad_scores{logits.shape};
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    weigh_backward<T>(spec, gate.scores.row(t), gate.indices.row(t), upstream.row(t),
                      grad_scores.row(t));
  }
  return scores_backward(spec.score, logits, gate.scores, grad_scores);
}

/// Gates that are `routed_scaling_factor` for chosen experts and zero elsewhere: the forward half
/// of straight-through routing (Bengio et al. 2013, arXiv 1308.3432). [tokens, experts]
template <class T>
Tensor<T> hard_gates(const GateSpec& spec, const GateResult<T>& gate) {
  Tensor<T> gates{gate.scores.shape};
  for (std::int64_t t = 0; t < gates.rows(); ++t) {
    for (const std::int64_t expert : gate.indices.row(t)) {
      gates.row(t)[static_cast<std::size_t>(expert)] = static_cast<T>(spec.routed_scaling_factor);
    }
  }
  return gates;
}

/// The backward half: `upstream` = d loss / d hard gates passes as if the forward step had used the
/// soft scores, so experts that were not chosen learn too. [tokens, experts] each.
template <class T>
Tensor<T> straight_through_backward(const GateSpec& spec, const Tensor<T>& logits,
                                    const GateResult<T>& gate, Tensor<T> upstream) {
  for (T& g : upstream.data) g *= static_cast<T>(spec.routed_scaling_factor);
  return scores_backward(spec.score, logits, gate.scores, upstream);
}

/// d loss / d router matrix [experts, dim] from d loss / d logits [tokens, experts], x [..., dim].
template <class T>
Tensor<T> router_weight_gradient(const Tensor<T>& grad_logits, const Tensor<T>& x) {
  const std::int64_t dim = x.dim(-1);
  const std::int64_t experts = grad_logits.dim(-1);
  FATHOM_EXPECT(grad_logits.rows() == x.rows(), "gradients of other tokens");
  Tensor<Sum<T>> sums{Shape{experts, dim}};
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    const auto token = x.row(t);
    for (std::int64_t e = 0; e < experts; ++e) {
      const T& grad = grad_logits[t * experts + e];
      const auto row = sums.row(e);
      for (std::size_t i = 0; i < row.size(); ++i) multiply_add<T>(row[i], grad, token[i]);
    }
  }
  return converted<T>(sums);
}

}  // namespace fathom::kernels::ref
