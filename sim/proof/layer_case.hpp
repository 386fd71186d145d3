#pragma once

#include <string>

#include "measure/kernel_case.hpp"
#include "model/arch_spec.hpp"
#include "proof/layer_shape.hpp"

namespace fathom::proof {

/// A step of equal sequences on top of `context` cached tokens.
struct StepCase {
  std::int64_t sequences = 1;
  std::int64_t new_tokens = 1;
  std::int64_t context = 0;
  bool prefill = false;
};

/// The operators that the estimator counts for one layer of kind `kind` (an index into
/// ArchSpec::kinds), in bf16 with fused residual adds, as these kernels run them.
std::vector<std::string_view> layer_nodes(const model::ArchSpec& arch, int kind,
                                          const StepCase& step);
std::vector<std::string_view> mtp_nodes(const model::ArchSpec& arch, const StepCase& step);

/// Whole layers, MTP modules and models as cases: executable on one side, the operators of
/// model/lower.hpp on the other.
measure::KernelCase layer_case(const std::string& name, const model::ArchSpec& arch, int kind,
                               const StepCase& step);
measure::KernelCase mtp_case(const std::string& name, const model::ArchSpec& arch,
                             const StepCase& step);
/// Embedding to logits of every sequence; without MTP.
measure::KernelCase model_case(const std::string& name, const model::ArchSpec& arch,
                               const StepCase& step);

}  // namespace fathom::proof
