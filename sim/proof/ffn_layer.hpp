#pragma once

#include <memory>

#include "measure/kernel_case.hpp"
#include "model/arch_spec.hpp"
#include "proof/layer_shape.hpp"
#include "proof/step_log.hpp"
#include "proof/weights.hpp"

namespace fathom::proof {

/// A dense gated feed-forward layer, or a mixture of experts: router, shared experts, routed ones.
/// Its steps are the nodes of model/blocks/ffn.cpp; gate, up, activation and down run fused.
class FfnLayer {
 public:
  /// Weights are drawn from `seed`: dense expert, or router, shared expert, routed experts.
  /// InputError for what is not executed (ungated layers, dense and experts in parallel, biases).
  FfnLayer(const model::ArchSpec& arch, const model::LayerSpec& spec, const LayerShape& shape,
           const measure::Bench& bench);
  FfnLayer(FfnLayer&&) noexcept;
  ~FfnLayer();

  void run(const SublayerIo& io, StepLog* log);
  Regions cold() const;
  /// Experts with at least one token in the last run; 0 in a dense layer.
  std::int64_t touched_experts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom::proof
