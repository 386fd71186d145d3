#pragma once

#include <string>
#include <vector>

#include "emulated_attention.hpp"
#include "kernels/cpu/attention_plan.hpp"
#include "kernels/cpu/isa.hpp"

namespace fathom::kernels::cpu {

struct NamedKernel {
  std::string form;
  AttentionKernel kernel;
};

/// Of all instruction sets that this machine has, and the tile kernel in software.
inline std::vector<NamedKernel> named_kernels() {
  std::vector<NamedKernel> all;
  for (const Isa isa : supported_isas())
    all.push_back({std::string{name(isa)}, attention_kernel(isa)});
#if defined(__x86_64__)
  if (supported(Isa::avx512_bf16)) all.push_back({"emulated amx", emulated_attention_kernel()});
#endif
  return all;
}

}  // namespace fathom::kernels::cpu
