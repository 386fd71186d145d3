#pragma once

#include "kernels/cpu/attention_job.hpp"

namespace fathom::kernels::cpu {

/// The tile kernel on tiles in software; for processors with vdpbf16ps.
AttentionKernel emulated_attention_kernel();

}  // namespace fathom::kernels::cpu
