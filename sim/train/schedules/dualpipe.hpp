#pragma once

#include <cstdint>

#include "train/pipeline_op.hpp"

namespace fathom::train {

/// DualPipe (DeepSeek-V3 report, section 3.2.1; deepseek-ai/DualPipe, dualpipe/dualpipe.py): chunks
/// enter at both ends, half of them each. Module 0 of rank r is stage r of the way up, module 1
/// stage ranks - 1 - r of the way down; both hold the same layers. Needs an even number of ranks
/// and an even number of chunks, at least 2 * ranks.
/// Bubble, says its README: (ranks / 2 - 1) (overlapped + backward - 3 weight). The executed order
/// gives exactly that on the least busy rank when a forward takes as long as an input gradient and
/// a weight gradient no longer; for other costs only simulate() tells.
PipelineSchedule dualpipe(std::int64_t ranks, std::int64_t chunks);

}  // namespace fathom::train
