#pragma once

namespace fathom::kernels::cpu {

/// FLOP/s of fp32 multiply-adds and of bf16 dot products, best of a few bursts of some 20 us on
/// the calling thread. 0 where the processor lacks the instruction.
double probe_fma_rate();
double probe_dot_rate();

}  // namespace fathom::kernels::cpu
