#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "measure/kernel_case.hpp"

namespace fathom::proof {

enum class Part : std::uint8_t { kernel, layer, model };
std::string_view name(Part part);

/// Something that is predicted from small shapes, then executed.
struct Target {
  Part part = Part::kernel;
  measure::KernelCase kernel;
};

struct TargetOptions {
  bool quick = false;             // a few of each part, for a first look
  std::int64_t memory_bytes = 0;  // weights of the largest layer take at most half of it
};

/// Kernels at the true sizes of DeepSeek-V3 and V2-Lite; layers of V2-Lite, V3 (experts as memory
/// allows), Qwen3 and Llama, prefill and decode; an MTP module; a model of a billion parameters.
std::vector<Target> targets(const TargetOptions& options);

}  // namespace fathom::proof
