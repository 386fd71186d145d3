#pragma once

#include "proof/layer.hpp"

namespace fathom::proof {

/// One multi-token prediction module (DeepSeek-V3 report, 2.2): norms of the embedding and of the
/// hidden state, their projection, a whole layer, final norm and head.
class MtpModule {
 public:
  MtpModule(const model::ArchSpec& arch, const LayerShape& shape, const measure::Bench& bench);

  /// Hidden states and embeddings stay the random ones they were made with; logits of each
  /// sequence's newest token.
  void run(std::int64_t context, StepLog* log);
  Regions cold() const;
  void fill_cache(std::int64_t tokens, std::uint64_t seed) { layer_.fill_cache(tokens, seed); }
  std::span<const float> logits() const { return logits_.span(); }

 private:
  void norm(const kernels::cpu::Buffer<float>& x, const kernels::cpu::Buffer<float>& weight,
            std::int64_t offset);
  LayerShape shape_;
  kernels::cpu::Isa isa_;
  kernels::cpu::ThreadPool* pool_;
  std::int64_t hidden_ = 0;
  std::int64_t vocab_ = 0;
  kernels::cpu::Buffer<float> embedding_, states_, enorm_, hnorm_, final_norm_;
  kernels::cpu::Buffer<float> delta_, stream_, logits_;
  kernels::cpu::Buffer<kernels::cpu::Bf16> both_, normed_;
  kernels::cpu::PackedLinear eh_proj_, head_;
  kernels::cpu::LinearWorkspace workspace_;
  Layer layer_;
};

}  // namespace fathom::proof
