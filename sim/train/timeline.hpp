#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "train/pipeline_op.hpp"

namespace fathom::train {

/// Duration of one chunk's work on one stage, in any one unit.
struct ChunkTimes {
  double forward = 1.0;
  double backward = 2.0;    // input and weight gradients
  double weight = 1.0;      // the weight's share of `backward`
  double overlapped = 3.0;  // a forward and a backward together ("F&B")
  bool operator==(const ChunkTimes&) const = default;
};

/// Duration of one operation; exchanges take no time.
double duration(const PipelineOp& op, const ChunkTimes& times);

struct OpSpan {
  double start = 0.0;
  double end = 0.0;
  bool operator==(const OpSpan&) const = default;
};

/// When everything happens.
struct Timeline {
  double makespan = 0.0;
  std::vector<double> busy;                // [rank]: time spent computing
  std::vector<std::vector<OpSpan>> spans;  // [rank][op], parallel to the schedule's orders
};

/// Runs a schedule: every rank works through its order and starts an operation once it is free and
/// what the operation needs exists: a forward the activation of the stage before, a backward the
/// gradient of the stage after (its own forward on the last), a weight gradient its input gradient.
/// Nothing when the schedule is stuck. Transfers are free and never block; what they cost belongs
/// to a network model.
std::optional<Timeline> simulate(const PipelineSchedule& schedule, const ChunkTimes& times);

/// Largest number of chunks whose activations each rank holds at once: from the start of a forward
/// to the end of the last part of its backward.
std::vector<std::int64_t> peak_activations(const PipelineSchedule& schedule);

}  // namespace fathom::train
