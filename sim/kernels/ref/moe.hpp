#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/ref/dispatch.hpp"
#include "kernels/ref/gate.hpp"
#include "kernels/ref/gate_switch.hpp"
#include "kernels/ref/mlp.hpp"

namespace fathom::kernels::ref {

/// Where a routing weight meets its expert: on the output (V3), or on the hidden row before w2
/// (V4), which is the same number but not the same rounding.
enum class WeightAt { output, hidden };

/// A mixture-of-experts layer. V3: the defaults and a gate. V4: `gate.score = sqrt_softplus`,
/// `swiglu_limit`, `weight_at = hidden`.
struct MoeSpec {
  GateSpec gate;
  double swiglu_limit = 0.0;  // 0: no clamp
  WeightAt weight_at = WeightAt::output;
  double capacity_factor = 0.0;  // 0: no expert is ever full, as in all DeepSeek models
  DropPolicy drop = DropPolicy::position;
};

template <class T>
struct MoeWeights {
  Tensor<T> gate;         // [experts, dim]
  Tensor<T> gate_bias;    // [experts] or empty
  MlpWeights<T> experts;  // stacked: [experts, ., .]
  MlpWeights<T> shared;   // all shared experts as one MLP; empty without
};

/// `prefix` + gate.weight, gate.bias, experts.w1.weight.stacked, shared_experts.w1.weight, ...: the
/// names of DeepSeek's inference/model.py with the experts stacked. The prefix ends with '.' or is
/// empty.
template <class T>
MoeWeights<T> moe_weights(const std::map<std::string, Tensor<T>>& weights,
                          const std::string& prefix = "") {
  return {.gate = tensor_or_empty(weights, prefix + "gate.weight"),
          .gate_bias = tensor_or_empty(weights, prefix + "gate.bias"),
          .experts = mlp_weights(weights, prefix + "experts.", ".stacked"),
          .shared = mlp_weights(weights, prefix + "shared_experts.")};
}

template <class T>
struct MoeResult {
  GateResult<T> gate;
  Tensor<T> routed;                             // like x: sum over the chosen experts
  Tensor<T> shared;                             // like x; empty without shared experts
  Tensor<T> out;                                // routed + shared
  std::vector<std::int64_t> tokens_per_expert;  // rows each expert worked on
  std::int64_t dropped = 0;                     // (token, choice) pairs beyond an expert's capacity
};

/// rows [pairs, width] times each pair's routing weight.
template <class T>
void weigh_rows(Tensor<T>& rows, const Dispatch& dispatch, const Tensor<T>& weights) {
  for (std::int64_t r = 0; r < rows.dim(0); ++r) {
    const T& weight = weights[dispatch.slots[static_cast<std::size_t>(r)]];
    for (T& v : rows.row(r)) v *= weight;
  }
}

/// The chosen experts of `dispatch` on x [tokens, dim], weighted by weights [tokens, choices] and
/// summed per token: permute, two grouped products, combine.
template <class T>
Tensor<T> routed_experts(const MoeSpec& spec, const MlpWeights<T>& experts, const Tensor<T>& x,
                         const Dispatch& dispatch, const Tensor<T>& weights) {
  const Tensor<T> rows = permute_rows(x, dispatch);
  Tensor<T> gate;
  Tensor<T> up;
  {
    const OpScope scope{"experts.gate_up"};
    gate = grouped_linear<T>(rows, dispatch.offsets, experts.w1);
    up = grouped_linear<T>(rows, dispatch.offsets, experts.w3);
  }
  Tensor<T> hidden;
  {
    const OpScope scope{"experts.act"};
    hidden = swiglu(gate, up, spec.swiglu_limit);
    if (spec.weight_at == WeightAt::hidden) weigh_rows(hidden, dispatch, weights);
  }
  Tensor<T> out;
  {
    const OpScope scope{"experts.down"};
    out = grouped_linear<T>(hidden, dispatch.offsets, experts.w2);
  }
  const OpScope scope{"unpermute"};
  if (spec.weight_at == WeightAt::output) weigh_rows(out, dispatch, weights);
  return combine_rows(out, dispatch, x.rows());
}

/// Gate of the layer: `chosen` [tokens, choices] overrides the learned choice (V4's hash layers).
template <class T>
GateResult<T> moe_gate(const MoeSpec& spec, const MoeWeights<T>& weights, const Tensor<T>& x,
                       const Indices& chosen = {}) {
  const Tensor<T> logits = router_logits(x, weights.gate);
  return chosen.empty() ? gate_topk(spec.gate, logits, weights.gate_bias)
                        : gate_chosen(spec.gate, logits, chosen);
}

/// The layer: x [..., dim] -> sum of weighted experts + shared experts (DeepSeekMoE, arXiv
/// 2401.06066, equation 3; DeepSeek-V3 inference/model.py, MoE.forward).
template <class T>
MoeResult<T> moe(const MoeSpec& spec, const MoeWeights<T>& weights, const Tensor<T>& x,
                 const Indices& chosen = {}) {
  MoeResult<T> out{.gate = moe_gate(spec, weights, x, chosen)};
  const std::int64_t experts = weights.experts.w1.dim(0);
  Capacity capacity;
  if (spec.capacity_factor > 0.0) {
    const auto most = expert_capacity(out.gate.indices.size(), experts, spec.capacity_factor);
    capacity = limit_capacity(out.gate, experts, most, spec.drop);
  }
  const Dispatch dispatch = dispatch_by_expert(out.gate.indices, experts, capacity.kept);
  out.tokens_per_expert = rows_per_expert(dispatch);
  out.dropped = capacity.dropped;
  out.routed =
      routed_experts(spec, weights.experts, x, dispatch, out.gate.weights).reshaped(x.shape);
  if (weights.shared.empty()) {
    out.out = out.routed;
    return out;
  }
  out.shared = mlp(weights.shared, x, spec.swiglu_limit,
                   {.up = "shared.gate_up", .act = "shared.act", .down = "shared.down"});
  out.out = add(out.routed, out.shared);
  return out;
}

}  // namespace fathom::kernels::ref
