#pragma once

#include <cstdint>
#include <vector>

#include "train/pipeline_op.hpp"

namespace fathom::train {

/// One rank of a bidirectional pipeline: it holds two modules and exchanges with its neighbours.
/// DualPipe and DualPipeV run the same program on it.
struct BidirectionalRank {
  std::int64_t rank = 0;
  std::int64_t ranks = 0;
  std::int64_t position = 0;  // distance from the end where its chunks of phase 0 enter
  std::int64_t depth = 0;     // positions: ranks / 2 in DualPipe, ranks in DualPipeV
  std::int64_t chunks = 0;    // per module, at least 2 * depth
  bool swapped = false;       // whether phase 0 runs module 1 (the second half of DualPipe)
};

/// The eight steps of deepseek-ai/DualPipe (dualpipe/dualpipe.py, step), where "nF0B1" is n times a
/// forward in phase 0 overlapped with a backward in phase 1:
/// nF0, nF0F1, nB1W1F1, nF0B1F1B0, nB1F1B0, nB1B0, nWB0, nW.
std::vector<PipelineOp> bidirectional_order(const BidirectionalRank& rank);

}  // namespace fathom::train
