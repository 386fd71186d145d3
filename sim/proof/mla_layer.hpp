#pragma once

#include <memory>

#include "measure/kernel_case.hpp"
#include "model/arch_spec.hpp"
#include "proof/layer_shape.hpp"
#include "proof/step_log.hpp"
#include "proof/weights.hpp"

namespace fathom::proof {

/// One MLA sublayer (DeepSeek-V2 report, 2.1) on the fast kernels: absorbed over its latent cache
/// in decode, naive in prefill. Its steps are the nodes of model/blocks/mla.cpp.
class MlaLayer {
 public:
  /// Weights are drawn from `seed` in the order q_a, its norm, q_b (or q), kv_a, its norm, kv_b, o.
  /// InputError for what is not executed (sparse attention).
  MlaLayer(const model::ArchSpec& arch, const model::MlaSpec& spec, const LayerShape& shape,
           const measure::Bench& bench);
  MlaLayer(MlaLayer&&) noexcept;
  ~MlaLayer();

  void run(const SublayerIo& io, StepLog* log);
  Regions cold() const;  // weights, and the cache as far as it is filled at most
  /// Fills the first `tokens` rows of every sequence's cache with random values.
  void fill_cache(std::int64_t tokens, std::uint64_t seed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom::proof
