#include "train/schedules/interleaved.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace fathom::train {
namespace {

std::vector<PipelineOp> order_of(const InterleavedSpec& spec, std::int64_t rank) {
  const auto table = schedule_table(spec);
  const auto warmup = static_cast<std::size_t>(warmup_forwards(spec, rank));
  std::vector<PipelineOp> order;
  const auto backward = [&](const VirtualMicrobatch& v) {
    order.push_back(
        {.kind = OpKind::backward, .module = spec.chunks - 1 - v.chunk, .chunk = v.microbatch});
  };
  for (std::size_t i = 0; i < table.size(); ++i) {
    order.push_back(
        {.kind = OpKind::forward, .module = table[i].chunk, .chunk = table[i].microbatch});
    if (i >= warmup) backward(table[i - warmup]);
  }
  for (std::size_t i = table.size() - warmup; i < table.size(); ++i) backward(table[i]);
  return order;
}

}  // namespace

std::vector<VirtualMicrobatch> schedule_table(const InterleavedSpec& spec) {
  FATHOM_EXPECT(spec.ranks > 0 && spec.chunks > 0 && spec.group > 0, "an empty pipeline");
  std::vector<VirtualMicrobatch> table;
  for (std::int64_t begin = 0; begin < spec.microbatches; begin += spec.group) {
    const std::int64_t end = std::min(begin + spec.group, spec.microbatches);
    for (std::int64_t chunk = 0; chunk < spec.chunks; ++chunk) {
      for (std::int64_t m = begin; m < end; ++m) table.push_back({m, chunk});
    }
  }
  return table;
}

std::int64_t warmup_forwards(const InterleavedSpec& spec, std::int64_t rank) {
  const std::int64_t ahead = 2 * (spec.ranks - rank - 1) + (spec.chunks - 1) * spec.group;
  return std::min(ahead, spec.microbatches * spec.chunks);
}

std::vector<std::int64_t> signed_order(const InterleavedSpec& spec, std::int64_t rank) {
  std::vector<std::int64_t> out;
  for (const PipelineOp& op : order_of(spec, rank)) {
    out.push_back(op.kind == OpKind::forward ? op.module + 1 : -(op.module + 1));
  }
  return out;
}

PipelineSchedule interleaved(const InterleavedSpec& spec) {
  PipelineSchedule out{.num_stages = spec.ranks * spec.chunks};
  for (std::int64_t rank = 0; rank < spec.ranks; ++rank) {
    out.orders.push_back(order_of(spec, rank));
    auto& stages = out.stages.emplace_back();
    for (std::int64_t chunk = 0; chunk < spec.chunks; ++chunk) {
      stages.push_back({.path = 0, .stage = chunk * spec.ranks + rank});
    }
  }
  return out;
}

}  // namespace fathom::train
