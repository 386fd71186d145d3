#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "kernels/tensor.hpp"
#include "model/arch_spec.hpp"

namespace fathom::execute {

/// A checkpoint in memory, under the names of DeepSeek's inference/model.py: "layers.0.attn.wq_a.
/// weight", experts stacked as "layers.1.ffn.experts.w1.weight.stacked" [experts, out, in].
struct Checkpoint {
  std::map<std::string, kernels::Tensor<float>> weights;
  std::map<std::string, kernels::Indices> tables;  // V4 hash routing: "layers.0.ffn.gate.tid2eid"
};

/// Random weights for every tensor of `arch`, the same on every machine for the same seed. Matrices
/// keep the size of a row (variance 1 / input width); what a sublayer adds to the residual is
/// scaled down to kBranchScale, and an MTP module starts as a copy of the embedding of its token:
/// so the drafts of an untrained model agree with it sometimes, though not always.
Checkpoint random_checkpoint(const model::ArchSpec& arch, std::uint64_t seed);
inline constexpr double kBranchScale = 0.3;

/// Parameters held, to be compared with model::count_params.
std::int64_t parameter_count(const Checkpoint& checkpoint);

/// The same weights in another scalar.
template <class T>
std::map<std::string, kernels::Tensor<T>> weights_as(const Checkpoint& checkpoint) {
  std::map<std::string, kernels::Tensor<T>> out;
  for (const auto& [name, tensor] : checkpoint.weights) {
    out[name] = kernels::converted<T>(tensor);
  }
  return out;
}

}  // namespace fathom::execute
