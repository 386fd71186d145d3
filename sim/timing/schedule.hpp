#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/units.hpp"
#include "mapping/map.hpp"

namespace fathom::timing {

/// A run of consecutive nodes of one layer on one lane: what the scheduler moves around.
struct Task {
  mapping::Lane lane = mapping::Lane::compute;
  model::Stage stage = model::Stage::attention_1;
  Seconds duration;
  bool operator==(const Task&) const = default;
};

/// One layer of one micro-batch: a chain of tasks, and the shared experts as a branch that starts
/// with the dispatch and must be done when the experts start.
struct LayerTasks {
  static constexpr std::size_t kMax = 24;
  std::array<Task, kMax> chain{};
  std::size_t size = 0;
  Seconds branch;  // 0: none

  void append(mapping::Lane lane, model::Stage stage, Seconds duration);
  std::span<const Task> tasks() const { return {chain.data(), size}; }
};

enum class Order : std::uint8_t {
  greedy,      // earliest possible start first
  half_layer,  // the second micro-batch runs half a layer late: A.att1(l) B.experts(l-1) A.att2(l)
               // B.att1(l) A.experts(l) B.att2(l)
};

struct Schedule {
  Seconds makespan;
  std::array<Seconds, mapping::kLaneCount> busy{};
};

/// How a long run of layers is cut for folding: `prefix` layers, then `period` kinds repeated, then
/// the rest.
struct Folding {
  std::size_t prefix = 0;
  std::size_t period = 1;
  std::size_t repeats = 0;
};
Folding find_folding(std::span<const int> sequence);

/// Time of `sequence` (indices into `kinds`) for one or two micro-batches. With two, lanes are
/// shared and tasks of one fill the gaps of the other. The periodic middle is simulated for a few
/// periods and then extrapolated by its steady increment, which equals the full schedule to
/// rounding (tested).
Schedule schedule(std::span<const int> sequence, std::span<const LayerTasks> kinds,
                  int micro_batches, Order order, const Folding& folding);

}  // namespace fathom::timing
