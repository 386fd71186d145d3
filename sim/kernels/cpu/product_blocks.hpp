#pragma once

#include <cstdint>

#include "kernels/cpu/product_walk.hpp"

// The loops around a register block, the same for every instruction set. `Engine` is a type of the
// including source's anonymous namespace, so that each source keeps its own copy, compiled for its
// own instruction set.
namespace fathom::kernels::cpu::blocks {

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
