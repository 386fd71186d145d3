#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/product_blocks.hpp"

namespace fathom::kernels::cpu::portable {
namespace {

using blocks::kPanel;
using blocks::kStep;

float silu(float x) { return x / (1.0F + std::exp(-x)); }

/// Engine of blocks::run in loops that a compiler vectorises: 4 rows x 16 columns of sums. Packed
/// rows: fp32 [input, unit].
struct Engine {
  static constexpr std::int64_t kElementBytes = 4;
  static constexpr std::int64_t kRows = 4;

  static std::int64_t unit(std::int64_t) { return kRows; }
  static std::int64_t panels_together(std::int64_t, std::int64_t) { return 1; }
  static void begin(std::int64_t) {}
  static void end() {}

  static void block(const blocks::Register& r, blocks::Prefetch&, blocks::Prefetch&) {
    for (int half = 0; half < 2; ++half) half_block(r, half);
  }
  static void half_block(const blocks::Register& r, int half) {
    float sums[kRows][16] = {};
    if (r.accumulate)
      for (int i = 0; i < kRows; ++i)
        std::memcpy(sums[i], r.sums + i * kPanel + 16 * half, sizeof sums[i]);
    const auto* x = static_cast<const float*>(r.rows);
    const auto* w = static_cast<const Bf16*>(r.weights) + 32 * half;
    for (std::int64_t step = 0; step < r.steps; ++step, w += 1024)
      for (int pair = 0; pair < 16; ++pair, x += 2 * kRows) {
        float even[16];
        float odd[16];
        for (int c = 0; c < 16; ++c) {
          even[c] = to_float(w[pair * 64 + 2 * c]);
          odd[c] = to_float(w[pair * 64 + 2 * c + 1]);
        }
        for (int i = 0; i < kRows; ++i)
          for (int c = 0; c < 16; ++c) sums[i][c] += x[i] * even[c] + x[kRows + i] * odd[c];
      }
    for (int i = 0; i < kRows; ++i)
      std::memcpy(r.sums + i * kPanel + 16 * half, sums[i], sizeof sums[i]);
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
