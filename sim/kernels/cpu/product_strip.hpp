#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/product_register.hpp"

namespace fathom::kernels::cpu::blocks {

/// Rows that are served by strips.
constexpr std::int64_t kStripRows = 3;

/// Panels that `unit` rows take at a time when `panels` are left: up to 24 sums in registers. A sum
/// does not depend on it, so neither does a result on how columns are split.
static inline std::int64_t strip_panels(std::int64_t unit, std::int64_t panels) {
  if (unit > kStripRows) return 1;
  const std::int64_t most = unit == 1 ? 8 : 4;
  return panels >= most ? most : panels >= 4 && most > 4 ? 4 : panels >= 2 ? 2 : 1;
}

/// `rows` rows through `panels` panels at a time (`Dot` as in product_vector.hpp). So few rows
/// wait for the weights alone, and memory delivers most when they are read from several places in
/// turn, in the order of their addresses: the hardware's prefetchers then do better than
/// instructions, of which only as many are in flight as there are line fill buffers.
template <class Dot, int rows, int panels>
static void vector_strip(const Register& r) {
  __m512 sums[panels][rows][2];
#pragma GCC unroll 8
  for (int p = 0; p < panels; ++p)
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h)
        sums[p][i][h] = r.accumulate
                            ? _mm512_load_ps(r.sums + p * r.panel_sums + i * kPanel + 16 * h)
                            : _mm512_setzero_ps();
  const auto* x = static_cast<const typename Dot::Word*>(r.rows);
  const auto* w = static_cast<const std::uint16_t*>(r.weights);
  for (std::int64_t pair = 0; pair < r.steps * 16; ++pair, x += rows * Dot::kWords, w += 64)
#pragma GCC unroll 8
    for (int p = 0; p < panels; ++p) {
      const auto left = Dot::load(w + p * r.panel_elements);
      const auto right = Dot::load(w + p * r.panel_elements + 32);
#pragma GCC unroll 4
      for (int i = 0; i < rows; ++i) Dot::add(sums[p][i], x + i * Dot::kWords, left, right);
    }
#pragma GCC unroll 8
  for (int p = 0; p < panels; ++p)
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h)
        _mm512_store_ps(r.sums + p * r.panel_sums + i * kPanel + 16 * h, sums[p][i][h]);
}

template <class Dot>
static void strip(const Register& r) {
  using Strip = void (*)(const Register&);
  // By rows, and by the logarithm of the panels.
  static constexpr Strip kStrips[kStripRows][4] = {
      {vector_strip<Dot, 1, 1>, vector_strip<Dot, 1, 2>, vector_strip<Dot, 1, 4>,
       vector_strip<Dot, 1, 8>},
      {vector_strip<Dot, 2, 1>, vector_strip<Dot, 2, 2>, vector_strip<Dot, 2, 4>},
      {vector_strip<Dot, 3, 1>, vector_strip<Dot, 3, 2>, vector_strip<Dot, 3, 4>}};
  const int size = r.panels == 8 ? 3 : r.panels == 4 ? 2 : r.panels == 2 ? 1 : 0;
  kStrips[r.unit - 1][size](r);
}

}  // namespace fathom::kernels::cpu::blocks
