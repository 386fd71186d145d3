#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kernels/ref/activation.hpp"
#include "kernels/ref/linear.hpp"
#include "kernels/ref/trace.hpp"

namespace fathom::kernels::ref {

/// Weights of a gated feed-forward layer: w1 (gate) and w3 (up) [inter_dim, dim], w2 (down)
/// [dim, inter_dim]; of stacked experts, each with a leading [experts].
template <class T>
struct MlpWeights {
  Tensor<T> w1;
  Tensor<T> w2;
  Tensor<T> w3;
  bool empty() const { return w1.empty(); }
};

/// The tensor called `name`, or an empty one.
template <class T>
Tensor<T> tensor_or_empty(const std::map<std::string, Tensor<T>>& weights,
                          const std::string& name) {
  const auto found = weights.find(name);
  return found == weights.end() ? Tensor<T>{} : found->second;
}

/// `prefix` + w1.weight, w2.weight, w3.weight (+ `suffix`), the names of DeepSeek's
/// inference/model.py.
template <class T>
MlpWeights<T> mlp_weights(const std::map<std::string, Tensor<T>>& weights,
                          const std::string& prefix, const std::string& suffix = "") {
  const auto get = [&](const std::string& name) {
    return tensor_or_empty(weights, prefix + name + ".weight" + suffix);
  };
  return {get("w1"), get("w2"), get("w3")};
}

/// What the three steps of a feed-forward layer are called in a trace.
struct MlpOperators {
  std::string_view up = "gate_up_proj";
  std::string_view act = "act";
  std::string_view down = "down_proj";
};

/// silu(gate) * up element by element, clamped where `limit` is positive.
template <class T>
Tensor<T> swiglu(const Tensor<T>& gate, const Tensor<T>& up, double limit) {
  FATHOM_EXPECT(gate.size() == up.size(), "swiglu of tensors of different size");
  Tensor<T> hidden{gate.shape};
  for (std::int64_t i = 0; i < gate.size(); ++i) hidden[i] = swiglu<T>(gate[i], up[i], limit);
  return hidden;
}

/// w2(silu(w1 x) * w3 x): x [..., dim] -> [..., dim] (DeepSeek-V3 inference/model.py, MLP.forward).
template <class T>
Tensor<T> mlp(const MlpWeights<T>& weights, const Tensor<T>& x, double swiglu_limit = 0.0,
              const MlpOperators& names = {}) {
  Tensor<T> gate;
  Tensor<T> up;
  {
    const OpScope scope{names.up};
    gate = linear(x, weights.w1);
    up = linear(x, weights.w3);
  }
  Tensor<T> hidden;
  {
    const OpScope scope{names.act};
    hidden = swiglu(gate, up, swiglu_limit);
  }
  const OpScope scope{names.down};
  return linear(hidden, weights.w2);
}

}  // namespace fathom::kernels::ref
