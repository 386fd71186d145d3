#pragma once

#include <cstdint>

#include "train/pipeline_op.hpp"

namespace fathom::train {

/// 1F1B without interleaving (arXiv 2104.04473, section 2.2.1), with the blocking exchanges that
/// Megatron-LM makes (megatron/core/pipeline_parallel/schedules.py): each rank runs
/// min(microbatches, ranks - rank - 1) forwards ahead, then alternates, then drains.
/// Bubble: (ranks - 1) (forward + backward).
PipelineSchedule one_f_one_b(std::int64_t ranks, std::int64_t microbatches);

}  // namespace fathom::train
