#include "kernels/cpu/linear.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "kernels/cpu/product_plan.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr std::int64_t kPanel = PackedLinear::kPanel;

/// `rows` rows of a weight of width k into one panel, step by step: reads and writes whole
/// cache lines.
void pack_panel(const Bf16* w, std::int64_t rows, std::int64_t k, Bf16* panel) {
  for (std::int64_t at = 0; at < k; at += PackedLinear::kStep, panel += PackedLinear::kStepElements)
    for (std::int64_t o = 0; o < rows; ++o) {
      const Bf16* from = w + o * k + at;
      Bf16* to = panel + 2 * o;
      const std::int64_t count = std::min(PackedLinear::kStep, k - at);
      for (std::int64_t i = 0; i + 1 < count; i += 2) std::copy_n(from + i, 2, to + i * kPanel);
      if (count % 2 != 0) to[(count - 1) * kPanel] = from[count - 1];
    }
}

PackedLinear empty_pack(std::int64_t n, std::int64_t k) {
  FATHOM_EXPECT(n > 0 && k > 0, "a weight of some size");
  PackedLinear w{.n = n, .k = k};
  w.tiles = Buffer<Bf16>{w.panels() * w.panel_elements()};
  return w;
}

void check(const LinearCall& call) {
  FATHOM_EXPECT(call.w != nullptr && call.rows >= 0, "a linear call has a weight");
  FATHOM_EXPECT((call.y == nullptr) != (call.y_bf16 == nullptr), "one output, fp32 or bf16");
}

RowPlan plan_of(const LinearCall& call, std::int64_t panels, Isa isa) {
  const ProductKernels& kernels = product_kernels(isa, call.rows);
  return {.kernels = &kernels,
          .blocking = product_blocking(kernels, call.rows, panels),
          .source = {.x = call.x, .stride = call.x_stride, .rows = call.rows, .k = call.w->k}};
}

/// Whether y goes past the caches: whole lines, and more than a following kernel finds in L2.
bool streams(const LinearCall& call) {
  const bool aligned =
      reinterpret_cast<std::uintptr_t>(call.y) % 64 == 0 && call.y_stride % 16 == 0;
  return aligned && call.rows * call.w->n * 4 > 2 * cpu_features().l2_bytes;
}

/// Panels [panels.begin, panels.end) of the packed rows.
void multiply(const LinearCall& call, const RowPlan& plan, const std::uint8_t* rows, Range panels,
              float* block) {
  using Kind = ProductSink::Kind;
  if (panels.begin >= panels.end) return;
  const std::int64_t column = panels.begin * kPanel;
  const bool narrow = call.y_bf16 != nullptr;
  void* y = narrow ? static_cast<void*>(call.y_bf16 + column) : call.y + column;
  plan.multiply(rows, {.weights = call.w->panel(panels.begin),
                       .next = call.next == nullptr ? nullptr : call.next->panel(panels.begin),
                       .panel_elements = call.w->panel_elements(),
                       .panels = panels.end - panels.begin,
                       .block = block,
                       .sink = {.kind = narrow ? Kind::bf16 : Kind::fp32,
                                .stream = !narrow && streams(call),
                                .y = y,
                                .stride = call.y_stride,
                                .columns = call.w->n - column}});
}

}  // namespace

PackedLinear pack_linear(const Bf16* w, std::int64_t n, std::int64_t k) {
  PackedLinear packed = empty_pack(n, k);
  for (std::int64_t o = 0; o < n; o += kPanel)
    pack_panel(w + o * k, std::min(kPanel, n - o), k,
               packed.tiles.data() + o / kPanel * packed.panel_elements());
  return packed;
}

PackedLinear pack_gate_up(const Bf16* gate, const Bf16* up, std::int64_t inter, std::int64_t k) {
  PackedLinear packed = empty_pack((inter + kPanel - 1) / kPanel * 2 * kPanel, k);
  for (std::int64_t o = 0; o < inter; o += kPanel) {
    Bf16* panel = packed.tiles.data() + o / kPanel * 2 * packed.panel_elements();
    pack_panel(gate + o * k, std::min(kPanel, inter - o), k, panel);
    pack_panel(up + o * k, std::min(kPanel, inter - o), k, panel + packed.panel_elements());
  }
  return packed;
}

void linear(const LinearCall& call, LinearWorkspace& workspace, Isa isa, ThreadPool& pool) {
  check(call);
  if (call.rows == 0) return;
  const int workers = pool.size();
  const std::int64_t panels = call.w->panels();
  const RowPlan plan = plan_of(call, (panels + workers - 1) / workers, isa);
  grow(workspace.rows, plan.packed_bytes());
  if (static_cast<int>(workspace.blocks.size()) < workers)
    workspace.blocks.resize(static_cast<std::size_t>(workers));
  for (Buffer<float>& block : workspace.blocks) grow(block, plan.block_floats());
  pack_rows(plan.packed_bytes(), pool,
            [&](int worker, int of) { plan.pack(workspace.rows.data(), worker, of); });
  pool.run([&](int worker) {
    multiply(call, plan, workspace.rows.data(), part_of(panels, 1, worker, workers),
             workspace.blocks[static_cast<std::size_t>(worker)].data());
  });
}

void linear_columns(const LinearCall& call, Range columns, LinearWorkspace& workspace, Isa isa) {
  check(call);
  FATHOM_EXPECT(columns.begin % kPanel == 0 && columns.end <= call.w->n, "columns of the weight");
  FATHOM_EXPECT(columns.end % kPanel == 0 || columns.end == call.w->n, "whole panels of columns");
  if (call.rows == 0 || columns.begin >= columns.end) return;
  const Range panels{columns.begin / kPanel, (columns.end + kPanel - 1) / kPanel};
  const RowPlan plan = plan_of(call, panels.end - panels.begin, isa);
  grow(workspace.rows, plan.packed_bytes());
  if (workspace.blocks.empty()) workspace.blocks.resize(1);
  grow(workspace.blocks.front(), plan.block_floats());
  plan.pack(workspace.rows.data(), 0, 1);
  multiply(call, plan, workspace.rows.data(), panels, workspace.blocks.front().data());
}

void batched_linear(const BatchedLinearCall& call, std::vector<LinearWorkspace>& workspaces,
                    Isa isa, ThreadPool& pool) {
  const int workers = pool.size();
  if (static_cast<int>(workspaces.size()) < workers)
    workspaces.resize(static_cast<std::size_t>(workers));
  // (head, part of its columns) pairs, so that few heads still serve all workers.
  const std::int64_t parts = call.heads >= workers ? 1 : (workers + call.heads - 1) / call.heads;
  pool.run([&](int worker) {
    const Range mine = part_of(call.heads * parts, 1, worker, workers);
    for (std::int64_t i = mine.begin; i < mine.end; ++i) {
      const std::int64_t head = i / parts;
      LinearCall one = call.first;
      one.w = call.weights + head;
      if (i + parts < mine.end) one.next = one.w + 1;
      one.x += head * call.x_head_stride;
      if (one.y != nullptr) one.y += head * call.y_head_stride;
      if (one.y_bf16 != nullptr) one.y_bf16 += head * call.y_head_stride;
      const auto part = static_cast<int>(i % parts);
      const Range columns = part_of(one.w->n, kPanel, part, static_cast<int>(parts));
      linear_columns(one, columns, workspaces[static_cast<std::size_t>(worker)], isa);
    }
  });
}

}  // namespace fathom::kernels::cpu
