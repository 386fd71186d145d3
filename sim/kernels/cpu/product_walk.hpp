#pragma once

#include <cstdint>

#include "kernels/cpu/product.hpp"
#include "kernels/cpu/product_register.hpp"

// The order in which a product visits its register blocks.
namespace fathom::kernels::cpu::blocks {

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

  /// The group's next chunk (or the next group's, or the next product's first one) from all its
  /// panels.
  Prefetch next_chunk() const {
    const bool same_group = step + steps < p.steps;
    const std::int64_t first = same_group ? group : group + panels;
    const std::int64_t at = same_group ? step + steps : 0;
    const bool last = first >= p.panels;
    if (last && p.next == nullptr) return {};
    const std::int64_t streams = last ? least(panels, p.panels) : least(panels, p.panels - first);
    const std::int64_t lines = least(p.blocking.chunk_steps, p.steps - at) * kStepLines;
    const std::int64_t visits = panels * row_blocks * steps;
    const char* from = last ? reinterpret_cast<const char*>(p.next) : weights(first, at);
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
    std::int64_t together = 1;
    for (std::int64_t panel = 0; panel < panels; panel += together) {
      together = Engine::panels_together(unit, panels - panel);
      if (!p.blocking.interleave) fetch = next_panel(panel);
      // Nobody has asked for the first chunk: a panel is asked for beside the one before.
      if (p.blocking.interleave && group == 0 && step == 0 && panel + together < panels)
        rows_ahead = next_panel(panel);
      const void* w = weights(group + panel, step);
      for (std::int64_t i = 0; i < row_blocks; ++i)
        Engine::block({.rows = rows(i),
                       .weights = w,
                       .sums = sums(panel, i),
                       .count = least(unit, p.rows - i * unit),
                       .unit = unit,
                       .steps = steps,
                       .accumulate = step > 0,
                       .panels = together,
                       .panel_elements = p.panel_elements,
                       .panel_sums = row_blocks * unit * kPanel},
                      fetch, rows_ahead);
    }
  }
};

}  // namespace fathom::kernels::cpu::blocks
