#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/product_blocks.hpp"

namespace fathom::kernels::cpu::portable {
namespace {

using blocks::kPanel;
using blocks::kStep;

float silu(float x) { return x / (1.0F + std::exp(-x)); }

/// 4 lanes, which every 64-bit processor has; g++ and clang make them what the target offers.
using Lanes = float __attribute__((vector_size(16)));
using Words = std::uint32_t __attribute__((vector_size(16)));

/// Engine of blocks::run in four lanes: 4 rows x 8 columns of sums, which fit 16 registers (one row
/// alone without the others). Packed rows: fp32 [input, unit].
struct Engine {
  static constexpr std::int64_t kElementBytes = 4;
  static constexpr std::int64_t kRows = 4;
  static constexpr std::int64_t kColumns = 8;

  static std::int64_t unit(std::int64_t rows) { return rows == 1 ? 1 : kRows; }
  static std::int64_t panels_together(std::int64_t, std::int64_t) { return 1; }
  static void begin(std::int64_t) {}
  static void end() {}

  static void block(const blocks::Register& r, blocks::Prefetch&, blocks::Prefetch&) {
    for (std::int64_t column = 0; column < kPanel; column += kColumns)
      r.unit == 1 ? columns_from<1>(r, column) : columns_from<kRows>(r, column);
  }
  template <std::int64_t rows>
  static void columns_from(const blocks::Register& r, std::int64_t column) {
    Lanes sums[rows][2] = {};
    if (r.accumulate)
      for (std::int64_t i = 0; i < rows; ++i)
        std::memcpy(sums[i], r.sums + i * kPanel + column, sizeof sums[i]);
    const auto* x = static_cast<const float*>(r.rows);
    const auto* w = static_cast<const Bf16*>(r.weights) + 2 * column;
    for (std::int64_t pair = 0; pair < r.steps * 16; ++pair, x += 2 * rows, w += 2 * kPanel)
      for (int h = 0; h < 2; ++h) {
        Words pairs;
        std::memcpy(&pairs, w + 8 * h, sizeof pairs);
        const Lanes even = std::bit_cast<Lanes>(pairs << 16);
        const Lanes odd = std::bit_cast<Lanes>(pairs & 0xffff0000U);
        for (std::int64_t i = 0; i < rows; ++i) sums[i][h] += x[i] * even + x[rows + i] * odd;
      }
    for (std::int64_t i = 0; i < rows; ++i)
      std::memcpy(r.sums + i * kPanel + column, sums[i], sizeof sums[i]);
  }

  static void pack_block(const ProductRows& source, std::int64_t row, std::int64_t step,
                         std::int64_t steps, void* packed) {
    auto* out = static_cast<float*>(packed);
    for (std::int64_t i = 0; i < source.unit; ++i)
      for (std::int64_t at = 0; at < steps * kStep; ++at) {
        const std::int64_t k = step * kStep + at;
        const bool inside = row + i < source.rows && k < source.k;
        out[at * source.unit + i] = inside ? to_float(blocks::row_of(source, row + i)[k]) : 0.0F;
      }
  }

  /// Sum of row `r` in column `column` of the group.
  struct Sums {
    const Product& p;
    std::int64_t panel_floats;
    float at(std::int64_t r, std::int64_t column) const {
      return p.block[column / kPanel * panel_floats + r * kPanel + column % kPanel];
    }
  };
  static void drain_row(const Sums& sums, std::int64_t r, std::int64_t first, std::int64_t count) {
    using Kind = ProductSink::Kind;
    const ProductSink& sink = sums.p.sink;
    const std::int64_t row = (sink.kind == Kind::scatter ? sink.ids[r] : r) * sink.stride + first;
    const float weight = sink.weights != nullptr ? sink.weights[r] : 1.0F;
    auto* y = static_cast<float*>(sink.y) +
              (sink.kind == Kind::fp32 || sink.kind == Kind::scatter ? row : 0);
    auto* y_bf16 = static_cast<Bf16*>(sink.y);
    for (std::int64_t c = 0; c < count; ++c) {
      if (sink.kind == Kind::fp32) y[c] = sums.at(r, c);
      if (sink.kind == Kind::scatter) y[c] += weight * sums.at(r, c);
      if (sink.kind == Kind::bf16) y_bf16[row + c] = to_bf16(sums.at(r, c));
      if (sink.kind == Kind::swiglu) {
        const std::int64_t gate = c / kPanel * 2 * kPanel + c % kPanel;
        y_bf16[row + c] = to_bf16(silu(sums.at(r, gate)) * sums.at(r, gate + kPanel));
      }
    }
  }
  static void drain(const Product& p, std::int64_t group, std::int64_t panels,
                    std::int64_t panel_floats) {
    const std::int64_t share = p.sink.kind == ProductSink::Kind::swiglu ? 2 : 1;
    const std::int64_t first = group * kPanel / share;
    const std::int64_t count = std::min(panels * kPanel / share, p.sink.columns - first);
    for (std::int64_t r = 0; r < p.rows; ++r) drain_row({p, panel_floats}, r, first, count);
  }
};

}  // namespace

const ProductKernels kProduct = {.element_bytes = Engine::kElementBytes,
                                 .block_unit = Engine::kRows,
                                 .unit = Engine::unit,
                                 .pack = blocks::pack<Engine>,
                                 .product = blocks::run<Engine>};

}  // namespace fathom::kernels::cpu::portable
