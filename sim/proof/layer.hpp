#pragma once

#include <variant>

#include "proof/ffn_layer.hpp"
#include "proof/gqa_layer.hpp"
#include "proof/mla_layer.hpp"

namespace fathom::proof {

/// A whole transformer layer on the fast kernels: norm, attention, norm, feed-forward. The residual
/// stream is fp32, and a sublayer's output is added to it by the norm after it, as fused kernels
/// do.
class Layer {
 public:
  /// InputError for kinds that are not executed.
  Layer(const model::ArchSpec& arch, const model::LayerSpec& spec, const LayerShape& shape,
        const measure::Bench& bench);

  /// `delta` [rows, hidden_size]: what the layer before adds to the stream, replaced by what this
  /// one adds. `stream` [rows, hidden_size] holds the sum so far.
  void run(float* delta, float* stream, std::int64_t context, StepLog* log);
  Regions cold() const;
  void fill_cache(std::int64_t tokens, std::uint64_t seed);
  const FfnLayer& ffn() const { return ffn_; }

 private:
  void norm(const kernels::cpu::Buffer<float>& weight, const float* delta, float* stream);
  LayerShape shape_;
  kernels::cpu::Isa isa_;
  kernels::cpu::ThreadPool* pool_;
  std::int64_t hidden_ = 0;
  kernels::cpu::Buffer<float> attention_norm_, ffn_norm_;
  kernels::cpu::Buffer<kernels::cpu::Bf16> normed_;
  std::variant<MlaLayer, GqaLayer> attention_;
  FfnLayer ffn_;
};

}  // namespace fathom::proof
