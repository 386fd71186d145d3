#include "train/timeline.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace fathom::train {
namespace {

enum class Product { activation, input_gradient };

/// When each product exists, by (product, path, chunk, stage).
using Ready = std::map<std::tuple<Product, std::int64_t, std::int64_t, std::int64_t>, double>;

constexpr double kNever = std::numeric_limits<double>::infinity();

class Simulation {
 public:
  Simulation(const PipelineSchedule& schedule, const ChunkTimes& times)
      : schedule_(schedule), times_(times) {
    for (const auto& order : schedule.orders) out_.spans.emplace_back().reserve(order.size());
    out_.busy.resize(schedule.orders.size());
  }

  std::optional<Timeline> run() {
    bool progress = true;
    while (progress) {
      progress = false;
      for (std::size_t rank = 0; rank < schedule_.orders.size(); ++rank) {
        while (advance(rank)) progress = true;
      }
    }
    for (std::size_t rank = 0; rank < schedule_.orders.size(); ++rank) {
      if (out_.spans[rank].size() < schedule_.orders[rank].size()) return {};
    }
    return out_;
  }

 private:
  /// Executes the next operation of `rank` if what it needs is known to exist at some time.
  bool advance(std::size_t rank) {
    auto& spans = out_.spans[rank];
    if (spans.size() == schedule_.orders[rank].size()) return false;
    const PipelineOp& op = schedule_.orders[rank][spans.size()];
    const double needed = inputs_ready(rank, op);
    if (needed == kNever) return false;
    const double start = std::max(spans.empty() ? 0.0 : spans.back().end, needed);
    const double end = start + duration(op, times_);
    spans.push_back({start, end});
    out_.busy[rank] += duration(op, times_);
    out_.makespan = std::max(out_.makespan, end);
    record(rank, op, end);
    return true;
  }

  double inputs_ready(std::size_t rank, const PipelineOp& op) const {
    switch (op.kind) {
      case OpKind::exchange:
        return 0.0;
      case OpKind::forward:
        return forward_ready(rank, op.module, op.chunk);
      case OpKind::backward:
      case OpKind::input_gradient:
        return backward_ready(rank, op.module, op.chunk);
      case OpKind::weight_gradient:
        return ready(Product::input_gradient, at(rank, op.module), op.chunk);
      case OpKind::overlapped:
        return std::max(forward_ready(rank, op.module, op.chunk),
                        backward_ready(rank, op.backward_module, op.backward_chunk));
    }
    return kNever;
  }

  double forward_ready(std::size_t rank, std::int64_t module, std::int64_t chunk) const {
    const Stage here = at(rank, module);
    if (here.stage == 0) return 0.0;
    return ready(Product::activation, {here.path, here.stage - 1}, chunk);
  }

  double backward_ready(std::size_t rank, std::int64_t module, std::int64_t chunk) const {
    const Stage here = at(rank, module);
    const double own = ready(Product::activation, here, chunk);
    if (here.stage == schedule_.num_stages - 1) return own;
    return std::max(own, ready(Product::input_gradient, {here.path, here.stage + 1}, chunk));
  }

  void record(std::size_t rank, const PipelineOp& op, double end) {
    const auto produce = [&](Product product, std::int64_t module, std::int64_t chunk) {
      const Stage here = at(rank, module);
      ready_[{product, here.path, chunk, here.stage}] = end;
    };
    if (op.kind == OpKind::forward || op.kind == OpKind::overlapped) {
      produce(Product::activation, op.module, op.chunk);
    }
    if (op.kind == OpKind::backward || op.kind == OpKind::input_gradient) {
      produce(Product::input_gradient, op.module, op.chunk);
    }
    if (op.kind == OpKind::overlapped) {
      produce(Product::input_gradient, op.backward_module, op.backward_chunk);
    }
  }

  double ready(Product product, Stage where, std::int64_t chunk) const {
    const auto found = ready_.find({product, where.path, chunk, where.stage});
    return found == ready_.end() ? kNever : found->second;
  }

  Stage at(std::size_t rank, std::int64_t module) const {
    return schedule_.stages[rank].at(static_cast<std::size_t>(module));
  }

  const PipelineSchedule& schedule_;
  const ChunkTimes& times_;
  Ready ready_;
  Timeline out_;
};

}  // namespace

double duration(const PipelineOp& op, const ChunkTimes& times) {
  switch (op.kind) {
    case OpKind::forward:
      return times.forward;
    case OpKind::backward:
      return times.backward;
    case OpKind::input_gradient:
      return times.backward - times.weight;
    case OpKind::weight_gradient:
      return times.weight;
    case OpKind::overlapped:
      return times.overlapped;
    case OpKind::exchange:
      return 0.0;
  }
  return 0.0;
}

std::optional<Timeline> simulate(const PipelineSchedule& schedule, const ChunkTimes& times) {
  return Simulation{schedule, times}.run();
}

std::vector<std::int64_t> peak_activations(const PipelineSchedule& schedule) {
  std::vector<std::int64_t> peaks;
  for (const auto& order : schedule.orders) {
    std::int64_t held = 0;
    std::int64_t peak = 0;
    for (const PipelineOp& op : order) {
      // An overlapped pair holds both of its chunks while it runs.
      if (op.kind == OpKind::forward || op.kind == OpKind::overlapped) ++held;
      peak = std::max(peak, held);
      if (op.kind == OpKind::backward || op.kind == OpKind::weight_gradient ||
          op.kind == OpKind::overlapped) {
        --held;
      }
    }
    peaks.push_back(peak);
  }
  return peaks;
}

}  // namespace fathom::train
