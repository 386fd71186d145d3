#include "kernels/cpu/experts.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "core/error.hpp"
#include "kernels/cpu/product_plan.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr std::int64_t kPanel = PackedLinear::kPanel;

void check(const ExpertsCall& call) {
  FATHOM_EXPECT(call.weights != nullptr && !call.weights->experts.empty(), "experts to call");
  FATHOM_EXPECT(call.x != nullptr && call.y != nullptr, "an input and an output");
  FATHOM_EXPECT(call.indices == nullptr || call.choice_weights != nullptr, "a weight per choice");
}

/// Sorts the (token, choice) pairs by expert, within an expert by token.
void sort_pairs(const ExpertsCall& call, ExpertsWorkspace& ws) {
  const auto experts = static_cast<std::int64_t>(call.weights->experts.size());
  const std::int64_t slots = call.indices != nullptr ? call.tokens * call.choices : call.tokens;
  const auto expert_of = [&](std::int64_t slot) {
    return call.indices != nullptr ? std::int64_t{call.indices[slot]} : 0;
  };
  const auto local = [&](std::int64_t expert) { return expert >= 0 && expert < experts; };
  ws.offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
  for (std::int64_t s = 0; s < slots; ++s)
    if (local(expert_of(s))) ++ws.offsets[static_cast<std::size_t>(expert_of(s)) + 1];
  std::partial_sum(ws.offsets.begin(), ws.offsets.end(), ws.offsets.begin());
  ws.next.assign(ws.offsets.begin(), ws.offsets.end() - 1);
  ws.tokens.resize(std::max(ws.tokens.size(), static_cast<std::size_t>(slots)));
  ws.pair_weights.resize(std::max(ws.pair_weights.size(), static_cast<std::size_t>(slots)));
  for (std::int64_t s = 0; s < slots; ++s) {
    if (!local(expert_of(s))) continue;
    const auto pair =
        static_cast<std::size_t>(ws.next[static_cast<std::size_t>(expert_of(s))]++);
    const bool chosen = call.indices != nullptr;
    ws.tokens[pair] = static_cast<std::int32_t>(chosen ? s / call.choices : s);
    ws.pair_weights[pair] = chosen ? call.choice_weights[s] : 1.0F;
  }
}

/// One expert's part of a grouped product.
struct Group {
  const PackedExpert* expert = nullptr;
  std::int64_t first = 0;  // pair
  RowPlan gate_up;
  RowPlan down;
  std::int64_t gate_up_offset = 0;  // bytes into the packed rows
  std::int64_t down_offset = 0;
};

Isa isa_for(std::int64_t rows, Isa isa) {
  return isa == Isa::amx && rows < kTileRows ? vector_isa() : isa;
}

/// Column blocks of one product that workers take in turn.
struct Tasks {
  std::int64_t panels = 0;
  std::int64_t grain = 0;
  std::int64_t count() const { return (panels + grain - 1) / grain; }
  Range range(std::int64_t task) const {
    return {task * grain, std::min(panels, (task + 1) * grain)};
  }
};

/// Blocks small enough that the last one to finish costs little (8 per worker), large enough that
/// few rows read 8 panels at a time and many rows are packed reads from L2.
Tasks tasks_for(std::int64_t panels, int workers) {
  const std::int64_t share = workers == 1 ? panels : panels / (8 * std::int64_t{workers});
  return {.panels = panels, .grain = std::max<std::int64_t>(workers == 1 ? 2 : 8, share / 2 * 2)};
}

}  // namespace

PackedExpert pack_expert(const Bf16* w1, const Bf16* w2, const Bf16* w3, std::int64_t dim,
                         std::int64_t inter) {
  return {.gate_up = pack_gate_up(w1, w3, inter, dim), .down = pack_linear(w2, dim, inter)};
}

}  // namespace fathom::kernels::cpu
