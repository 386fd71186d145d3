#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "timing/schedule.hpp"

namespace fathom::timing {

/// When the scheduler runs one task: a run of a layer's nodes on one lane, or its shared experts.
struct PlacedTask {
  static constexpr std::size_t kBranch = LayerTasks::kMax;
  std::size_t micro_batch = 0;
  std::size_t layer = 0;  // place in the sequence
  std::size_t task = 0;   // place in its layer's chain; kBranch: the shared experts
  mapping::Lane lane = mapping::Lane::compute;
  model::Stage stage = model::Stage::attention_1;
  Seconds start;  // from the first layer's first task
  Seconds end;
  bool operator==(const PlacedTask&) const = default;
};

/// Every task of `sequence` as schedule() places them, in the order of its decisions; without
/// folding, so each layer has its own times. The last end is schedule()'s makespan to rounding
/// (tested).
std::vector<PlacedTask> timeline(std::span<const int> sequence, std::span<const LayerTasks> kinds,
                                 int micro_batches, Order order);

}  // namespace fathom::timing
