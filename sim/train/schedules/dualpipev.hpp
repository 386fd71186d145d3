#pragma once

#include <cstdint>

#include "train/pipeline_op.hpp"

namespace fathom::train {

/// DualPipeV (deepseek-ai/DualPipe, dualpipe/dualpipev.py), DualPipe cut in half: every chunk goes
/// up through module 0 of all ranks, turns around on the last and comes back through their modules
/// 1, 2 * ranks stages in all. Needs chunks >= 2 * ranks.
/// Bubble: (ranks - 1) (overlapped + backward - 3 weight), under the conditions of DualPipe's.
PipelineSchedule dualpipev(std::int64_t ranks, std::int64_t chunks);

}  // namespace fathom::train
