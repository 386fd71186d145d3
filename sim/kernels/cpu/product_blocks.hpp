#pragma once

#include <cstdint>

#include "kernels/cpu/product.hpp"

// The loops around a register block, the same for every instruction set. `Engine` is a type of the
// including source's anonymous namespace, so that each source keeps its own copy, compiled for its
// own instruction set.
namespace fathom::kernels::cpu::blocks {

constexpr std::int64_t kStep = 32;   // inputs of a step
constexpr std::int64_t kPanel = 32;  // columns of a panel
constexpr std::int64_t kStepElements = kStep * kPanel;
constexpr std::int64_t kLine = 64;                              // bytes
constexpr std::int64_t kStepLines = kStepElements * 2 / kLine;  // of a panel

static inline std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
static inline std::int64_t blocks_of(std::int64_t count, std::int64_t unit) {
  return (count + unit - 1) / unit;
}

/// Lines to fetch into L2 while a block computes: with every step the next `each` ones of all
/// `streams`, which lie `stride` bytes apart.
struct Prefetch {
  const char* at = nullptr;
  const char* end = nullptr;  // of the first stream
  std::int64_t streams = 1;
  std::int64_t stride = 0;
  std::int64_t each = 0;

  [[gnu::always_inline]] void step() {
    if (at >= end) return;
    const char* line = at;
    for (std::int64_t s = streams; s > 0; --s, line += stride)
      for (std::int64_t i = 0; i < each; ++i) __builtin_prefetch(line + i * kLine, 0, 2);
    at += each * kLine;
  }
};

/// The operands of one register block: `count` of `unit` rows x 32 columns over `steps`.
struct Register {
  const void* rows = nullptr;
  const void* weights = nullptr;
  float* sums = nullptr;  // [unit, 32]
  std::int64_t count = 0;
  std::int64_t unit = 0;
  std::int64_t steps = 0;
  bool accumulate = false;
};

/// Where the register blocks of one product lie.
template <class Engine>
struct Walk {
  const Product& p;
  std::int64_t unit;
  std::int64_t row_blocks;
  std::int64_t group = 0;   // first panel of the group
  std::int64_t panels = 0;  // of the group
  std::int64_t step = 0;    // first step of the chunk
  std::int64_t steps = 0;   // of the chunk

  explicit Walk(const Product& product)
      : p(product),
        unit(Engine::unit(product.rows)),
        row_blocks(blocks_of(product.rows, Engine::unit(product.rows))) {}

  const char* weights(std::int64_t panel, std::int64_t at_step) const {
    return reinterpret_cast<const char*>(p.weights + panel * p.panel_elements +
                                         at_step * kStepElements);
  }
  const void* rows(std::int64_t row_block) const {
    const std::int64_t element = (step * row_blocks + row_block * steps) * unit * kStep;
    return static_cast<const char*>(p.rows_packed) + element * Engine::kElementBytes;
  }
  float* sums(std::int64_t panel, std::int64_t row_block) const {
    return p.block + (panel * row_blocks + row_block) * unit * kPanel;
  }

  /// The group's next chunk (or the next group's first one) from all its panels.
  Prefetch next_chunk() const {
    const bool same_group = step + steps < p.steps;
    const std::int64_t first = same_group ? group : group + panels;
    const std::int64_t at = same_group ? step + steps : 0;
    const std::int64_t streams = least(panels, p.panels - first);
    if (streams <= 0) return {};
    const std::int64_t lines = least(p.blocking.chunk_steps, p.steps - at) * kStepLines;
    const std::int64_t visits = panels * row_blocks * steps;
    const char* from = weights(first, at);
    return {.at = from,
            .end = from + lines * kLine,
            .streams = streams,
            .stride = p.panel_elements * 2,
            .each = blocks_of(lines, visits)};
  }
  /// The panel after this one in the same chunk, while all rows pass this one.
  Prefetch next_panel(std::int64_t panel) const {
    const bool same_chunk = panel + 1 < panels;
    const std::int64_t at = same_chunk ? step : step + steps;
    if (at >= p.steps) return {};
    const std::int64_t next_steps = same_chunk ? steps : p.blocking.chunk_steps;
    const std::int64_t lines = least(next_steps, p.steps - at) * kStepLines;
    const char* from = weights(group + (same_chunk ? panel + 1 : 0), at);
    return {.at = from, .end = from + lines * kLine, .each = blocks_of(lines, row_blocks * steps)};
  }

  /// The next chunk of all rows, while this one passes the group's panels.
  Prefetch next_rows() const {
    const std::int64_t at = step + steps;
    if (p.blocking.interleave || at >= p.steps) return {};
    const std::int64_t next_steps = least(p.blocking.chunk_steps, p.steps - at);
    const std::int64_t step_bytes = row_blocks * unit * kStep * Engine::kElementBytes;
    const char* from = static_cast<const char*>(p.rows_packed) + at * step_bytes;
    const std::int64_t lines = blocks_of(next_steps * step_bytes, kLine);
    return {.at = from,
            .end = from + lines * kLine,
            .each = blocks_of(lines, panels * row_blocks * steps)};
  }

  void chunk() const {
    Prefetch rows_ahead = next_rows();
    Prefetch fetch = next_chunk();
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      if (!p.blocking.interleave) fetch = next_panel(panel);
      const void* w = weights(group + panel, step);
      for (std::int64_t i = 0; i < row_blocks; ++i)
        Engine::block({.rows = rows(i),
                       .weights = w,
                       .sums = sums(panel, i),
                       .count = least(unit, p.rows - i * unit),
                       .unit = unit,
                       .steps = steps,
                       .accumulate = step > 0},
                      fetch, rows_ahead);
    }
  }
};

template <class Engine>
static void run(const Product& p) {
  Engine::begin(p.rows);
  Walk<Engine> walk{p};
  for (walk.group = 0; walk.group < p.panels; walk.group += walk.panels) {
    walk.panels = least(p.blocking.group_panels, p.panels - walk.group);
    for (walk.step = 0; walk.step < p.steps; walk.step += walk.steps) {
      walk.steps = least(p.blocking.chunk_steps, p.steps - walk.step);
      walk.chunk();
    }
    const std::int64_t panel_floats = walk.row_blocks * walk.unit * kPanel;
    Engine::drain(p, walk.group, walk.panels, panel_floats);
  }
  Engine::end();
}

/// Rows into the packed order: `Engine::pack_block` places one register block's chunk.
template <class Engine>
static void pack(const ProductRows& source, std::int64_t first, std::int64_t last, void* packed) {
  const std::int64_t row_blocks = blocks_of(source.rows, source.unit);
  const std::int64_t all_steps = blocks_of(source.k, kStep);
  for (std::int64_t step = 0; step < all_steps; step += source.chunk_steps) {
    const std::int64_t steps = least(source.chunk_steps, all_steps - step);
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t element = (step * row_blocks + i * steps) * source.unit * kStep;
      Engine::pack_block(source, i * source.unit, step, steps,
                         static_cast<char*>(packed) + element * Engine::kElementBytes);
    }
  }
}

static inline const ProductBf16* row_of(const ProductRows& source, std::int64_t row) {
  return source.x + (source.ids != nullptr ? source.ids[row] : row) * source.stride;
}

}  // namespace fathom::kernels::cpu::blocks
