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

/// One expert's part of the two grouped products: `rows` pairs from `first` on.
struct Group {
  const PackedExpert* expert = nullptr;
  std::int64_t first = 0;
  RowPlan gate_up;
  RowPlan down;
  std::int64_t gate_up_bytes = 0;  // where its packed rows start
  std::int64_t down_bytes = 0;
};

/// Column blocks of one product, which workers take in turn.
struct Tasks {
  std::int64_t panels = 0;
  std::int64_t grain = 0;
  std::int64_t count() const { return (panels + grain - 1) / grain; }
  Range range(std::int64_t task) const {
    return {task * grain, std::min(panels, (task + 1) * grain)};
  }
};

/// Some 8 per worker, so that the last one to finish costs little, but at least the panels that few
/// rows stream at a time.
Tasks tasks_for(std::int64_t panels, int workers) {
  constexpr std::int64_t kStreams = 8;
  if (workers == 1) return {panels, panels};
  const std::int64_t share = panels / (8 * std::int64_t{workers}) / 2 * 2;
  return {panels, std::max(kStreams, share)};
}

}  // namespace

struct ExpertsWorkspace::State {
  std::vector<std::int64_t> offsets;  // [experts + 1]: expert e owns pairs offsets[e]..offsets[e+1]
  std::vector<std::int64_t> next;     // [experts]
  std::vector<std::int32_t> tokens;   // [pairs]: where a pair's row comes from and goes to
  std::vector<float> weights;         // [pairs]
  std::vector<Group> groups;
  std::int64_t rows_bytes = 0;       // of this call
  std::int64_t hidden_bytes = 0;     // of this call
  Buffer<std::uint8_t> rows;         // x of the pairs in the kernels' order
  Buffer<std::uint8_t> hidden_rows;  // hidden in the kernels' order
  Buffer<Bf16> hidden;               // [pairs, inter]
  std::vector<Buffer<float>> blocks;
};

namespace {

using State = ExpertsWorkspace::State;

/// Sorts the (token, choice) pairs by expert, within an expert by token.
void sort_pairs(const ExpertsCall& call, State& s) {
  const auto experts = static_cast<std::int64_t>(call.weights->experts.size());
  const bool routed = call.indices != nullptr;
  const std::int64_t slots = routed ? call.tokens * call.choices : call.tokens;
  const auto expert_of = [&](std::int64_t slot) {
    const std::int64_t expert = routed ? call.indices[slot] : 0;
    return static_cast<std::size_t>(expert >= 0 && expert < experts ? expert : experts);
  };
  s.offsets.assign(static_cast<std::size_t>(experts) + 2, 0);  // the last: pairs of other devices
  for (std::int64_t slot = 0; slot < slots; ++slot) ++s.offsets[expert_of(slot) + 1];
  std::partial_sum(s.offsets.begin(), s.offsets.end(), s.offsets.begin());
  s.next.assign(s.offsets.begin(), s.offsets.end() - 1);
  s.tokens.resize(std::max(s.tokens.size(), static_cast<std::size_t>(slots)));
  s.weights.resize(std::max(s.weights.size(), static_cast<std::size_t>(slots)));
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    const auto pair = static_cast<std::size_t>(s.next[expert_of(slot)]++);
    s.tokens[pair] = static_cast<std::int32_t>(routed ? slot / call.choices : slot);
    s.weights[pair] = routed ? call.choice_weights[slot] : 1.0F;
  }
}

RowPlan plan_for(std::int64_t rows, std::int64_t k, std::int64_t panels, Isa isa) {
  const ProductKernels& kernels = product_kernels(isa, rows);
  return {.kernels = &kernels,
          .blocking = product_blocking(kernels, rows, panels),
          .source = {.rows = rows, .k = k}};
}

/// Where every expert's rows lie, and room for them.
void plan_groups(const ExpertsCall& call, State& s, Isa isa, int workers) {
  const PackedExperts& w = *call.weights;
  std::int64_t sums = 0;
  s.rows_bytes = s.hidden_bytes = 0;
  s.groups.clear();
  for (std::size_t e = 0; e < w.experts.size(); ++e) {
    const std::int64_t rows = s.offsets[e + 1] - s.offsets[e];
    if (rows == 0) continue;
    const PackedExpert& expert = w.experts[e];
    const std::int64_t first = s.offsets[e];
    Group group{
        .expert = &expert,
        .first = first,
        .gate_up = plan_for(rows, w.dim, tasks_for(expert.gate_up.panels(), workers).grain, isa),
        .down = plan_for(rows, w.inter, tasks_for(expert.down.panels(), workers).grain, isa),
        .gate_up_bytes = s.rows_bytes,
        .down_bytes = s.hidden_bytes};
    group.gate_up.source.x = call.x;
    group.gate_up.source.stride = call.x_stride;
    group.gate_up.source.ids = s.tokens.data() + first;
    s.rows_bytes += group.gate_up.packed_bytes();
    s.hidden_bytes += group.down.packed_bytes();
    sums = std::max({sums, group.gate_up.block_floats(), group.down.block_floats()});
    s.groups.push_back(group);
  }
  grow(s.rows, s.rows_bytes);
  grow(s.hidden_rows, s.hidden_bytes);
  grow(s.hidden, s.offsets[w.experts.size()] * w.inter);
  for (Group& group : s.groups) {
    group.down.source.x = s.hidden.data() + group.first * w.inter;
    group.down.source.stride = w.inter;
  }
  s.blocks.resize(std::max(s.blocks.size(), static_cast<std::size_t>(workers)));
  for (Buffer<float>& block : s.blocks) grow(block, sums);
}

/// Whose turn is after group `g`; null: nobody's.
const PackedExpert* after(const State& s, std::size_t g) {
  return g + 1 < s.groups.size() ? s.groups[g + 1].expert : nullptr;
}

/// Columns of gate and up for all experts: hidden = silu(gate) * up.
void multiply_gate_up(const ExpertsCall& call, State& s, Range panels, float* block) {
  const std::int64_t inter = call.weights->inter;
  const std::int64_t column = panels.begin / 2 * kPanel;
  for (std::size_t g = 0; g < s.groups.size(); ++g) {
    const Group& group = s.groups[g];
    const PackedExpert* next = after(s, g);
    group.gate_up.multiply(s.rows.data() + group.gate_up_bytes,
                           {.weights = group.expert->gate_up.panel(panels.begin),
                            .next = next == nullptr ? nullptr : next->gate_up.panel(panels.begin),
                            .panel_elements = group.expert->gate_up.panel_elements(),
                            .panels = panels.end - panels.begin,
                            .block = block,
                            .sink = {.kind = ProductSink::Kind::swiglu,
                                     .y = s.hidden.data() + group.first * inter + column,
                                     .stride = inter,
                                     .columns = inter - column}});
  }
}

/// Columns of y: the weighted sum of all experts.
void multiply_down(const ExpertsCall& call, State& s, Range panels, float* block) {
  const std::int64_t column = panels.begin * kPanel;
  const std::int64_t width = std::min(call.weights->dim, panels.end * kPanel) - column;
  if (!call.accumulate)
    for (std::int64_t t = 0; t < call.tokens; ++t)
      std::fill_n(call.y + t * call.y_stride + column, width, 0.0F);
  for (std::size_t g = 0; g < s.groups.size(); ++g) {
    const Group& group = s.groups[g];
    const PackedExpert* next = after(s, g);
    group.down.multiply(s.hidden_rows.data() + group.down_bytes,
                        {.weights = group.expert->down.panel(panels.begin),
                         .next = next == nullptr ? nullptr : next->down.panel(panels.begin),
                         .panel_elements = group.expert->down.panel_elements(),
                         .panels = panels.end - panels.begin,
                         .block = block,
                         .sink = {.kind = ProductSink::Kind::scatter,
                                  .y = call.y + column,
                                  .stride = call.y_stride,
                                  .columns = width,
                                  .ids = s.tokens.data() + group.first,
                                  .weights = s.weights.data() + group.first}});
  }
}

/// `work(panels, worker)` for all tasks, each by the worker that is free first.
template <class Work>
void share_out(const Tasks& tasks, ThreadPool& pool, Work work) {
  std::atomic<std::int64_t> next{0};
  pool.run([&](int worker) {
    for (std::int64_t task = next.fetch_add(1); task < tasks.count(); task = next.fetch_add(1))
      work(tasks.range(task), worker);
  });
}

}  // namespace

ExpertsWorkspace::ExpertsWorkspace() : state_(std::make_unique<State>()) {}
ExpertsWorkspace::ExpertsWorkspace(ExpertsWorkspace&&) noexcept = default;
ExpertsWorkspace::~ExpertsWorkspace() = default;

PackedExpert pack_expert(const Bf16* w1, const Bf16* w2, const Bf16* w3, std::int64_t dim,
                         std::int64_t inter) {
  return {.gate_up = pack_gate_up(w1, w3, inter, dim), .down = pack_linear(w2, dim, inter)};
}

void experts(const ExpertsCall& call, ExpertsWorkspace& workspace, Isa isa, ThreadPool& pool) {
  check(call);
  if (call.tokens == 0) return;
  State& s = workspace.state();
  const int workers = pool.size();
  sort_pairs(call, s);
  plan_groups(call, s, isa, workers);
  const PackedExpert& any = call.weights->experts.front();
  // An expert's few rows go to one worker; which one differs from expert to expert.
  const auto turn = [](int worker, std::size_t group, int of) {
    return static_cast<int>((static_cast<std::size_t>(worker) + group) %
                            static_cast<std::size_t>(of));
  };
  const auto block = [&](int worker) { return s.blocks[static_cast<std::size_t>(worker)].data(); };
  pack_rows(s.rows_bytes, pool, [&](int worker, int of) {
    for (std::size_t g = 0; g < s.groups.size(); ++g)
      s.groups[g].gate_up.pack(s.rows.data() + s.groups[g].gate_up_bytes, turn(worker, g, of), of);
  });
  share_out(tasks_for(any.gate_up.panels(), workers), pool,
            [&](Range panels, int worker) { multiply_gate_up(call, s, panels, block(worker)); });
  pack_rows(s.hidden_bytes, pool, [&](int worker, int of) {
    for (std::size_t g = 0; g < s.groups.size(); ++g)
      s.groups[g].down.pack(s.hidden_rows.data() + s.groups[g].down_bytes, turn(worker, g, of), of);
  });
  share_out(tasks_for(any.down.panels(), workers), pool,
            [&](Range panels, int worker) { multiply_down(call, s, panels, block(worker)); });
}

}  // namespace fathom::kernels::cpu
