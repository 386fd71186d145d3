#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/product_blocks.hpp"
#include "kernels/cpu/product_sinks.hpp"
#include "kernels/cpu/tiles.hpp"

namespace fathom::kernels::cpu::blocks {

/// Engine of blocks::run on tiles: 32 rows x 32 columns in tiles 0..3, rows in 4 and 5, weights in
/// 6 and 7. Up to 16 rows use the upper half of it and tiles of exactly that many rows, because a
/// tile product takes one cycle per row. Packed rows: [step, half, 16 rows, 32 inputs].
template <class Tiles>
struct TileEngine {
  static constexpr std::int64_t kElementBytes = 2;
  static constexpr std::int64_t kRows = 16;  // of a tile
  static constexpr std::int64_t kTile = kRows * kStep;
  static constexpr std::ptrdiff_t kRowBytes = 64;
  static constexpr std::ptrdiff_t kPairBytes = 128;  // of weights: two tiles side by side
  static constexpr std::ptrdiff_t kSumBytes = 4 * kPanel;

  static std::int64_t unit(std::int64_t rows) { return rows <= kRows ? kRows : 2 * kRows; }
  static std::int64_t panels_together(std::int64_t, std::int64_t) { return 1; }
  static void begin(std::int64_t rows) {
    TileShape shapes[8];
    const int top = rows < kRows ? static_cast<int>(rows) : 16;
    shapes[0].rows = top;
    shapes[1].rows = top;
    shapes[4].rows = top;
    Tiles::configure(shapes);
  }
  static void end() {
    Tiles::release();
    _mm_sfence();
  }

  static void block(const Register& r, Prefetch& fetch, Prefetch& rows_ahead) {
    r.count > kRows ? two_halves(r, fetch, rows_ahead) : one_half(r, fetch, rows_ahead);
  }
  static void two_halves(const Register& r, Prefetch& fetch, Prefetch& rows_ahead) {
    float* below = r.sums + kRows * kPanel;
    if (r.accumulate) {
      Tiles::template load<0>(r.sums, kSumBytes);
      Tiles::template load<1>(r.sums + 16, kSumBytes);
      Tiles::template load<2>(below, kSumBytes);
      Tiles::template load<3>(below + 16, kSumBytes);
    } else {
      Tiles::template zero<0>();
      Tiles::template zero<1>();
      Tiles::template zero<2>();
      Tiles::template zero<3>();
    }
    const auto* x = static_cast<const ProductBf16*>(r.rows);
    const auto* w = static_cast<const ProductBf16*>(r.weights);
    for (std::int64_t s = 0; s < r.steps; ++s, x += 2 * kTile, w += kStepElements) {
      Tiles::template load<4>(x, kRowBytes);
      Tiles::template load<6>(w, kPairBytes);
      Tiles::template dot<0, 4, 6>();
      Tiles::template load<7>(w + kStep, kPairBytes);
      Tiles::template dot<1, 4, 7>();
      Tiles::template load<5>(x + kTile, kRowBytes);
      Tiles::template dot<2, 5, 6>();
      Tiles::template dot<3, 5, 7>();
      fetch.step();
      rows_ahead.step();
    }
    Tiles::template store<0>(r.sums, kSumBytes);
    Tiles::template store<1>(r.sums + 16, kSumBytes);
    Tiles::template store<2>(below, kSumBytes);
    Tiles::template store<3>(below + 16, kSumBytes);
  }
  static void one_half(const Register& r, Prefetch& fetch, Prefetch& rows_ahead) {
    if (r.accumulate) {
      Tiles::template load<0>(r.sums, kSumBytes);
      Tiles::template load<1>(r.sums + 16, kSumBytes);
    } else {
      Tiles::template zero<0>();
      Tiles::template zero<1>();
    }
    const auto* x = static_cast<const ProductBf16*>(r.rows);
    const auto* w = static_cast<const ProductBf16*>(r.weights);
    for (std::int64_t s = 0; s < r.steps; ++s, x += r.unit * kStep, w += kStepElements) {
      Tiles::template load<4>(x, kRowBytes);
      Tiles::template load<6>(w, kPairBytes);
      Tiles::template dot<0, 4, 6>();
      Tiles::template load<7>(w + kStep, kPairBytes);
      Tiles::template dot<1, 4, 7>();
      fetch.step();
      rows_ahead.step();
    }
    Tiles::template store<0>(r.sums, kSumBytes);
    Tiles::template store<1>(r.sums + 16, kSumBytes);
  }

  static void pack_block(const ProductRows& source, std::int64_t row, std::int64_t step,
                         std::int64_t steps, void* packed) {
    auto* out = static_cast<ProductBf16*>(packed);
    for (std::int64_t i = 0; i < source.unit; ++i, out += kStep)
      for (std::int64_t s = 0; s < steps; ++s) {
        const std::int64_t at = (step + s) * kStep;
        const __m512i inputs = row + i < source.rows
                                   ? row_step(row_of(source, row + i) + at, source.k - at)
                                   : _mm512_setzero_si512();
        _mm512_store_si512(out + s * source.unit * kStep, inputs);
      }
  }
  static void drain(const Product& p, std::int64_t group, std::int64_t panels,
                    std::int64_t panel_floats) {
    drain_sums(p, group, panels, panel_floats);
  }
};

}  // namespace fathom::kernels::cpu::blocks
