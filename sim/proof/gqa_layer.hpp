#pragma once

#include <memory>

#include "measure/kernel_case.hpp"
#include "model/arch_spec.hpp"
#include "proof/layer_shape.hpp"
#include "proof/step_log.hpp"
#include "proof/weights.hpp"

namespace fathom::proof {

/// One MHA, GQA or MQA sublayer on the fast kernels. Its steps are the nodes of
/// model/blocks/gqa.cpp.
class GqaLayer {
 public:
  /// Weights are drawn from `seed` in the order q, k, v, q norm, k norm, o. InputError for what is
  /// not executed (windows, chunks, biases, sinks, gates).
  GqaLayer(const model::ArchSpec& arch, const model::GqaSpec& spec, const LayerShape& shape,
           const measure::Bench& bench);
  GqaLayer(GqaLayer&&) noexcept;
  ~GqaLayer();

  void run(const SublayerIo& io, StepLog* log);
  Regions cold() const;
  void fill_cache(std::int64_t tokens, std::uint64_t seed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom::proof
