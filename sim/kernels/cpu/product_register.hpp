#pragma once

#include <cstdint>

// The units of a product: one register block, and the lines to fetch while it computes.
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

/// The operands of one register block: `count` of `unit` rows x 32 columns over `steps`, in one or
/// several panels at a time.
struct Register {
  const void* rows = nullptr;
  const void* weights = nullptr;
  float* sums = nullptr;  // [unit, 32]
  std::int64_t count = 0;
  std::int64_t unit = 0;
  std::int64_t steps = 0;
  bool accumulate = false;
  std::int64_t panels = 1;
  std::int64_t panel_elements = 0;  // from one panel's weights to the next
  std::int64_t panel_sums = 0;      // from one panel's sums to the next
};

}  // namespace fathom::kernels::cpu::blocks
