#include "timing/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "timing/timeline.hpp"

namespace fathom::timing {
namespace {

using mapping::Lane;
using model::Stage;

constexpr std::size_t kSimulatedPeriods = 10;  // of the periodic middle
constexpr std::size_t kSettledPeriods = 6;     // after which the increment is steady

/// Place of a compute task inside its layer under the half-layer order, in sixths of a layer.
constexpr std::array<double, model::kStageCount> kSlotOf = [] {
  std::array<double, model::kStageCount> slot{};
  slot.fill(4.5);
  const auto set = [&slot](Stage stage, double value) {
    slot[static_cast<std::size_t>(stage)] = value;
  };
  set(Stage::attention_1, 0.0);
  set(Stage::attention_2, 2.0);
  set(Stage::shared, 2.5);
  set(Stage::dense, 2.6);
  set(Stage::experts, 4.0);
  set(Stage::receive, 5.9);  // just before the next layer's attention
  return slot;
}();
constexpr double kSlotsPerLayer = 6.0;
constexpr double kOffset = 3.0;  // of the second micro-batch

/// One micro-batch on its way through the layers.
struct Walker {
  std::size_t layer = 0;
  std::size_t task = 0;
  const LayerTasks* tasks = nullptr;  // of that layer
  Seconds ready;                      // end of the last task of the chain
  bool branch_pending = false;
  Seconds branch_ready;
  Seconds branch_end;
};

class Simulation {
 public:
  Simulation(std::span<const LayerTasks> kinds, Order order, int micro_batches)
      : kinds_(kinds), order_(order), count_(static_cast<std::size_t>(micro_batches)) {}

  /// Every task committed from now on, with its times.
  void record(std::vector<PlacedTask>& tasks) { record_ = &tasks; }

  /// Runs `layers` layers, where layer i is kind_at(i); returns the end. `mark` is called when the
  /// last walker ends a layer.
  template <class KindAt, class Mark>
  Seconds run(std::size_t layers, const KindAt& kind_at, const Mark& mark) {
    std::size_t done = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      enter_layer(walkers_[i], layers, kind_at);
      look_ahead(i, layers, kind_at);
    }
    while (done < count_) {
      const Choice choice = pick(layers);
      FATHOM_EXPECT(std::isfinite(choice.start.value), "a task takes a finite time");
      commit(choice);
      Walker& w = walkers_[choice.walker];
      if (w.task == w.tasks->size && !w.branch_pending) {
        w.task = 0;
        ++w.layer;
        enter_layer(w, layers, kind_at);
        if (choice.walker + 1 == count_) mark(w.layer, w.ready);
        if (w.layer == layers) ++done;
      }
      look_ahead(choice.walker, layers, kind_at);
    }
    Seconds end;
    for (std::size_t i = 0; i < count_; ++i) end = std::max(end, walkers_[i].ready);
    return end;
  }

  const std::array<Seconds, mapping::kLaneCount>& busy() const { return busy_; }

 private:
  struct Choice {
    std::size_t walker = 0;
    bool branch = false;
    Seconds start;
  };

  static std::size_t index(Lane lane) { return static_cast<std::size_t>(lane); }

  static double place(Stage stage) { return kSlotOf[static_cast<std::size_t>(stage)]; }

  static double slot(std::size_t layer, std::size_t which, double place) {
    return kSlotsPerLayer * static_cast<double>(layer) + kOffset * static_cast<double>(which) +
           place;
  }

  // Place inside its layer of the first compute task from `task` on; negative when none is left.
  static double next_place(const LayerTasks& layer, std::size_t task) {
    for (; task < layer.size; ++task) {
      const Task& t = layer.chain[task];
      if (t.stage == Stage::dispatch && layer.branch.value > 0.0) return place(Stage::shared);
      if (t.lane == Lane::compute) return place(t.stage);
    }
    return -1.0;
  }

  // The slot of the next compute task of a micro-batch, or infinity when none is left.
  template <class KindAt>
  double next_compute_slot(std::size_t which, std::size_t layers, const KindAt& kind_at) const {
    const Walker& w = walkers_[which];
    if (w.branch_pending) return slot(w.layer, which, place(Stage::shared));
    if (w.layer >= layers) return std::numeric_limits<double>::infinity();
    const double here = next_place(*w.tasks, w.task);
    if (here >= 0.0) return slot(w.layer, which, here);
    for (std::size_t l = w.layer + 1; l < layers; ++l) {
      const double there = next_place(kinds_[static_cast<std::size_t>(kind_at(l))], 0);
      if (there >= 0.0) return slot(l, which, there);
    }
    return std::numeric_limits<double>::infinity();
  }

  template <class KindAt>
  void enter_layer(Walker& w, std::size_t layers, const KindAt& kind_at) const {
    if (w.layer < layers) w.tasks = &kinds_[static_cast<std::size_t>(kind_at(w.layer))];
  }

  bool ordered() const { return order_ == Order::half_layer && count_ == 2; }

  template <class KindAt>
  void look_ahead(std::size_t which, std::size_t layers, const KindAt& kind_at) {
    if (ordered()) next_slot_[which] = next_compute_slot(which, layers, kind_at);
  }

  Choice pick(std::size_t layers) const {
    Choice best;
    best.start = Seconds{std::numeric_limits<double>::infinity()};
    for (std::size_t i = 0; i < count_; ++i) {
      const Walker& w = walkers_[i];
      if (w.layer >= layers) continue;
      const bool my_turn = !ordered() || next_slot_[i] <= next_slot_[1 - i];
      const LayerTasks& layer = *w.tasks;
      if (w.branch_pending && my_turn) {
        consider(best, {i, true, std::max(w.branch_ready, free_[index(Lane::compute)])});
      }
      if (w.task >= layer.size) continue;
      const Task& t = layer.chain[w.task];
      if (t.stage == Stage::experts && w.branch_pending) continue;  // waits for the shared experts
      if (t.lane == Lane::compute && !my_turn) continue;
      const Seconds ready = t.stage == Stage::experts ? std::max(w.ready, w.branch_end) : w.ready;
      consider(best, {i, false, std::max(ready, free_[index(t.lane)])});
    }
    return best;
  }

  // Of two tasks that could start at the same time the micro-batch that is behind goes first;
  // otherwise one would run away and leave the other without anything to hide behind.
  void consider(Choice& best, const Choice& candidate) const {
    const Walker& mine = walkers_[candidate.walker];
    const Walker& theirs = walkers_[best.walker];
    const bool behind =
        mine.layer != theirs.layer ? mine.layer < theirs.layer : mine.task < theirs.task;
    if (candidate.start < best.start || (candidate.start == best.start && behind)) best = candidate;
  }

  void commit(const Choice& choice) {
    Walker& w = walkers_[choice.walker];
    const LayerTasks& layer = *w.tasks;
    if (choice.branch) {
      w.branch_end = choice.start + layer.branch;
      note(choice, Lane::compute, Stage::shared, w.branch_end);
      free_[index(Lane::compute)] = w.branch_end;
      busy_[index(Lane::compute)] += layer.branch;
      w.branch_pending = false;
      w.ready = w.task == layer.size ? std::max(w.ready, w.branch_end) : w.ready;
      return;
    }
    const Task& t = layer.chain[w.task];
    if (t.stage == Stage::dispatch && layer.branch.value > 0.0 && t.lane != Lane::compute) {
      w.branch_pending = true;
      w.branch_ready = w.ready;
    }
    w.ready = choice.start + t.duration;
    note(choice, t.lane, t.stage, w.ready);
    free_[index(t.lane)] = w.ready;
    busy_[index(t.lane)] += t.duration;
    ++w.task;
  }

  void note(const Choice& choice, Lane lane, Stage stage, Seconds end) const {
    if (record_ == nullptr) return;
    const Walker& w = walkers_[choice.walker];
    const std::size_t task = choice.branch ? PlacedTask::kBranch : w.task;
    record_->push_back({choice.walker, w.layer, task, lane, stage, choice.start, end});
  }

  std::span<const LayerTasks> kinds_;
  Order order_;
  std::size_t count_;
  std::array<Walker, 2> walkers_{};
  std::array<double, 2> next_slot_{};  // of each walker's next compute task, kept by look_ahead()
  std::array<Seconds, mapping::kLaneCount> free_{};
  std::array<Seconds, mapping::kLaneCount> busy_{};
  std::vector<PlacedTask>* record_ = nullptr;
};

void expect_interleavable(int micro_batches) {
  FATHOM_EXPECT(micro_batches == 1 || micro_batches == 2,
                "the scheduler interleaves at most two micro-batches");
}

}  // namespace

void LayerTasks::append(Lane lane, Stage stage, Seconds duration) {
  if (size > 0 && chain[size - 1].lane == lane && chain[size - 1].stage == stage) {
    chain[size - 1].duration += duration;
    return;
  }
  FATHOM_EXPECT(size < kMax, "a layer has more lane changes than the scheduler holds");
  chain[size++] = {lane, stage, duration};
}

Folding find_folding(std::span<const int> sequence) {
  Folding best{.prefix = sequence.size(), .period = 1, .repeats = 0};
  std::size_t best_covered = 0;
  constexpr std::size_t kLongestPeriod = 8;
  for (std::size_t period = 1; period <= kLongestPeriod; ++period) {
    std::size_t start = 0;
    while (start + period < sequence.size()) {
      std::size_t end = start + period;
      while (end < sequence.size() && sequence[end] == sequence[end - period]) ++end;
      const std::size_t repeats = (end - start) / period;
      if (repeats > 1 && repeats * period > best_covered) {
        best = {.prefix = start, .period = period, .repeats = repeats};
        best_covered = repeats * period;
      }
      start = std::max(start + 1, end - period + 1);
    }
  }
  return best;
}

Schedule schedule(std::span<const int> sequence, std::span<const LayerTasks> kinds,
                  int micro_batches, Order order, const Folding& folding) {
  expect_interleavable(micro_batches);
  Simulation simulation{kinds, order, micro_batches};
  const bool fold = folding.repeats > kSimulatedPeriods;
  const std::size_t skipped = fold ? (folding.repeats - kSimulatedPeriods) * folding.period : 0;
  const std::size_t resume = folding.prefix + (fold ? kSimulatedPeriods * folding.period : 0);
  const auto kind_at = [&](std::size_t i) {
    return sequence[i < resume || !fold ? i : i + skipped];
  };
  const std::size_t settled = folding.prefix + kSettledPeriods * folding.period;
  // the increment is read before the last simulated period, whose neighbours may already be of
  // another kind
  const std::size_t measured = folding.prefix + (kSimulatedPeriods - 1) * folding.period;
  Seconds at_settled;
  Seconds at_measured;
  Schedule out;
  out.makespan =
      simulation.run(sequence.size() - skipped, kind_at, [&](std::size_t layers, Seconds end) {
        if (layers == settled) at_settled = end;
        if (layers == measured) at_measured = end;
      });
  out.busy = simulation.busy();
  if (!fold) return out;
  const auto extra = static_cast<double>(folding.repeats - kSimulatedPeriods);
  const double periods = static_cast<double>(kSimulatedPeriods - 1 - kSettledPeriods);
  out.makespan += (at_measured - at_settled) * (extra / periods);
  for (std::size_t k = 0; k < folding.period;
       ++k) {  // busy time is additive: exact without simulation
    const LayerTasks& layer = kinds[static_cast<std::size_t>(sequence[folding.prefix + k])];
    for (const Task& t : layer.tasks()) {
      out.busy[static_cast<std::size_t>(t.lane)] += t.duration * (extra * micro_batches);
    }
    out.busy[static_cast<std::size_t>(Lane::compute)] += layer.branch * (extra * micro_batches);
  }
  return out;
}

std::vector<PlacedTask> timeline(std::span<const int> sequence, std::span<const LayerTasks> kinds,
                                 int micro_batches, Order order) {
  expect_interleavable(micro_batches);
  std::vector<PlacedTask> tasks;
  Simulation simulation{kinds, order, micro_batches};
  simulation.record(tasks);
  simulation.run(
      sequence.size(), [&](std::size_t i) { return sequence[i]; },
      [](std::size_t /*layers*/, Seconds /*end*/) {});
  return tasks;
}

}  // namespace fathom::timing
