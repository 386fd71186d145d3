#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/product_blocks.hpp"
#include "kernels/cpu/product_sinks.hpp"
#include "kernels/cpu/product_strip.hpp"
#include "kernels/cpu/transpose.hpp"

namespace fathom::kernels::cpu::blocks {

// `Dot` says how a pair of inputs enters the sums:
//   Word, kWords                 packed elements of a row's pair: one pair of bf16, or two floats
//   pack(pairs, words, stride)   16 pairs of a row into words, `stride` words from pair to pair
//   pack_rows(pairs, words, n)   one pair each of n rows into words, one after the other
//   Pair, load(weights)          16 columns' pairs ready for use
//   add(sum, words, pair)        the row's pair times the columns' pairs

/// Rows of a register block: as many as leave registers for the weights (2 x 12 sums of 32).
constexpr std::int64_t kVectorRows = 12;

/// `rows` x 32 sums in registers.
template <class Dot, int rows>
static void vector_block(const Register& r, Prefetch& fetch, Prefetch& rows_ahead) {
  __m512 sums[rows][2];
#pragma GCC unroll 12
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h)
      sums[i][h] =
          r.accumulate ? _mm512_load_ps(r.sums + i * kPanel + 16 * h) : _mm512_setzero_ps();
  const auto* x = static_cast<const typename Dot::Word*>(r.rows);
  const auto* w = static_cast<const ProductBf16*>(r.weights);
  for (std::int64_t step = 0; step < r.steps; ++step) {
    fetch.step();
    rows_ahead.step();
    for (int pair = 0; pair < 16; ++pair, x += rows * Dot::kWords, w += 2 * kPanel) {
      const auto left = Dot::load(w);
      const auto right = Dot::load(w + kPanel);
#pragma GCC unroll 12
      for (int i = 0; i < rows; ++i) Dot::add(sums[i], x + i * Dot::kWords, left, right);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) _mm512_store_ps(r.sums + i * kPanel + 16 * h, sums[i][h]);
}

/// Engine of blocks::run for AVX-512. Packed rows: [pair, unit, kWords].
template <class Dot>
struct VectorEngine {
  static constexpr std::int64_t kElementBytes = Dot::kWords * 2;

  static std::int64_t unit(std::int64_t rows) {
    if (rows <= 0) return 1;
    return blocks_of(rows, blocks_of(rows, kVectorRows));
  }
  static std::int64_t panels_together(std::int64_t unit, std::int64_t panels) {
    return strip_panels(unit, panels);
  }
  static void begin(std::int64_t) {}
  static void end() { _mm_sfence(); }

  static void block(const Register& r, Prefetch& fetch, Prefetch& rows_ahead) {
    if (r.unit <= kStripRows) return strip<Dot>(r);
    using Block = void (*)(const Register&, Prefetch&, Prefetch&);
    static constexpr Block kBlocks[kVectorRows - kStripRows] = {
        vector_block<Dot, 4>,  vector_block<Dot, 5>,  vector_block<Dot, 6>,
        vector_block<Dot, 7>,  vector_block<Dot, 8>,  vector_block<Dot, 9>,
        vector_block<Dot, 10>, vector_block<Dot, 11>, vector_block<Dot, 12>};
    // A short last block computes its zero rows along.
    kBlocks[r.unit - kStripRows - 1](r, fetch, rows_ahead);
  }
  static void pack_block(const ProductRows& source, std::int64_t row, std::int64_t step,
                         std::int64_t steps, void* packed) {
    auto* out = static_cast<typename Dot::Word*>(packed);
    if (source.unit > kStripRows) return pack_many(source, row, step, steps, out);
    for (std::int64_t i = 0; i < source.unit; ++i, out += Dot::kWords)
      for (std::int64_t s = 0; s < steps; ++s) {
        const std::int64_t at = (step + s) * kStep;
        const bool some = row + i < source.rows;
        const __m512i inputs =
            some ? row_step(row_of(source, row + i) + at, source.k - at) : _mm512_setzero_si512();
        Dot::pack(inputs, out + s * 16 * source.unit * Dot::kWords, source.unit * Dot::kWords);
      }
  }
  /// The same through a transposition in registers, which pays from four rows on.
  static void pack_many(const ProductRows& source, std::int64_t row, std::int64_t step,
                        std::int64_t steps, typename Dot::Word* out) {
    const std::int64_t some = least(source.unit, source.rows - row);
    const ProductBf16* rows[16] = {};
    for (std::int64_t i = 0; i < some; ++i) rows[i] = row_of(source, row + i) + step * kStep;
    for (std::int64_t s = 0; s < steps; ++s) {
      const std::int64_t left = source.k - (step + s) * kStep;
      __m512i pairs[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i)
        pairs[i] = i < some ? row_step(rows[i] + s * kStep, left) : _mm512_setzero_si512();
      vector::transpose(pairs);
#pragma GCC unroll 16
      for (int pair = 0; pair < 16; ++pair, out += source.unit * Dot::kWords)
        Dot::pack_rows(pairs[pair], out, source.unit);
    }
  }
  static void drain(const Product& p, std::int64_t group, std::int64_t panels,
                    std::int64_t panel_floats) {
    drain_sums(p, group, panels, panel_floats);
  }
};

}  // namespace fathom::kernels::cpu::blocks
