#pragma once

#include <cstdint>
#include <vector>

#include "train/pipeline_op.hpp"

namespace fathom::train {

/// Interleaved 1F1B (arXiv 2104.04473, section 2.2.2): every rank holds `chunks` model chunks,
/// chunk v of rank r being stage v * ranks + r. Field names follow Megatron-LM.
struct InterleavedSpec {
  std::int64_t ranks = 1;
  std::int64_t microbatches = 1;
  std::int64_t chunks = 1;  // model chunks per rank, v
  std::int64_t group = 1;   // micro-batches that pass a chunk before the next chunk's turn
  bool operator==(const InterleavedSpec&) const = default;
};

/// One virtual micro-batch: a micro-batch in a model chunk.
struct VirtualMicrobatch {
  std::int64_t microbatch = 0;
  std::int64_t chunk = 0;
  bool operator==(const VirtualMicrobatch&) const = default;
};

/// Forward order of the virtual micro-batches, the same on all ranks: group after group, chunk
/// after chunk within it (Megatron-LM schedules.py, get_schedule_table). The backward order is the
/// same with the chunks reversed.
std::vector<VirtualMicrobatch> schedule_table(const InterleavedSpec& spec);

/// Forwards before the first backward: 2 (ranks - rank - 1) + (chunks - 1) group, all at most.
std::int64_t warmup_forwards(const InterleavedSpec& spec, std::int64_t rank);

/// A rank's order in signed model chunks (Megatron-LM cuda_graphs.py): k is a forward of the k-th
/// chunk, counted from 1, -k a backward of it.
std::vector<std::int64_t> signed_order(const InterleavedSpec& spec, std::int64_t rank);

/// The whole schedule, without exchanges.
PipelineSchedule interleaved(const InterleavedSpec& spec);

}  // namespace fathom::train
