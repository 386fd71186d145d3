#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proof/layer.hpp"

namespace fathom::proof {

/// A whole model on the fast kernels: embedding, layers, final norm, head; greedy decoding of a
/// batch of equal sequences.
class LanguageModel {
 public:
  LanguageModel(const model::ArchSpec& arch, const LayerShape& shape, const measure::Bench& bench);

  /// One step: the newest tokens of every sequence [rows] at positions from `context` on. Returns
  /// the best next token of each sequence.
  std::span<const std::int32_t> run(std::span<const std::int32_t> tokens, std::int64_t context);
  Regions cold() const;
  void fill_cache(std::int64_t tokens, std::uint64_t seed);

 private:
  LayerShape shape_;
  measure::Bench bench_;
  std::int64_t hidden_ = 0;
  std::int64_t vocab_ = 0;
  kernels::cpu::Buffer<kernels::cpu::Bf16> table_, normed_;
  kernels::cpu::Buffer<float> delta_, stream_, final_norm_, logits_;
  std::vector<Layer> layers_;
  kernels::cpu::PackedLinear head_;
  kernels::cpu::LinearWorkspace workspace_;
  std::vector<std::int32_t> next_;
};

}  // namespace fathom::proof
