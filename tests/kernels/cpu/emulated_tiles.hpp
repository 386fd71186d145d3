#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/tiles.hpp"

namespace fathom::kernels::cpu {

/// The interface of HardwareTiles in software (AVX-512F), so that tile kernels are tested where
/// there is no AMX. What the hardware answers with an exception (a tile that is not configured,
/// shapes that do not fit, a configuration beyond 16 x 64) dies of an illegal instruction here too.
/// Arithmetic after Intel's pseudocode of TDPBF16PS: even and odd elements of a pair summed apart
/// by fused multiply-adds that start at zero, then added to the sum; denormals are zero, rounding
/// is to nearest.
struct EmulatedTiles {
  struct Tile {
    alignas(64) unsigned char bytes[16][64];
  };
  struct State {
    bool configured = false;
    TileShape shapes[8];
    Tile tiles[8];
  };
  static State& state() {
    static thread_local State the_state;
    return the_state;
  }
  static void require(bool legal) {
    if (!legal) __builtin_trap();
  }

  static void configure(const TileShape (&shapes)[8]) {
    State& s = state();
    s.configured = true;
    std::memset(s.tiles, 0, sizeof s.tiles);
    for (int i = 0; i < 8; ++i) {
      require(shapes[i].rows >= 0 && shapes[i].rows <= 16);
      require(shapes[i].row_bytes >= 0 && shapes[i].row_bytes <= 64);
      require((shapes[i].rows == 0) == (shapes[i].row_bytes == 0));
      s.shapes[i] = shapes[i];
    }
  }
  static void release() { state().configured = false; }

  static Tile& tile(int index) {
    require(state().configured && state().shapes[index].rows > 0);
    return state().tiles[index];
  }

  template <int index>
  static void zero() {
    std::memset(&tile(index), 0, sizeof(Tile));
  }
  template <int index>
  static void load(const void* rows, std::ptrdiff_t stride_bytes) {
    zero<index>();
    const TileShape shape = state().shapes[index];
    const auto* from = static_cast<const unsigned char*>(rows);
    for (int r = 0; r < shape.rows; ++r)
      std::memcpy(tile(index).bytes[r], from + r * stride_bytes,
                  static_cast<std::size_t>(shape.row_bytes));
  }
  template <int index>
  static void store(void* rows, std::ptrdiff_t stride_bytes) {
    const TileShape shape = state().shapes[index];
    auto* to = static_cast<unsigned char*>(rows);
    for (int r = 0; r < shape.rows; ++r)
      std::memcpy(to + r * stride_bytes, tile(index).bytes[r],
                  static_cast<std::size_t>(shape.row_bytes));
  }
  template <int sum, int a, int b>
  static void dot() {
    const TileShape left = state().shapes[a];
    const TileShape right = state().shapes[b];
    const TileShape out = state().shapes[sum];
    require(sum != a && a != b && sum != b);
    require(left.rows == out.rows && right.row_bytes == out.row_bytes);
    require(left.row_bytes % 4 == 0 && right.row_bytes % 4 == 0 &&
            right.rows == left.row_bytes / 4);
    dot_rows(tile(sum), tile(a), tile(b), out.rows, right.rows);
  }

 private:
  static void dot_rows(Tile& sum, const Tile& a, const Tile& b, int rows, int pairs) {
    constexpr unsigned kFlushDenormals = 0x8040;  // FTZ and DAZ; the other bits mask exceptions
    const unsigned caller = _mm_getcsr();
    _mm_setcsr(0x1f80U | kFlushDenormals);
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000U));
    for (int m = 0; m < rows; ++m) {
      __m512 even = _mm512_setzero_ps();
      __m512 odd = _mm512_setzero_ps();
      for (int k = 0; k < pairs; ++k) {
        int pair = 0;
        std::memcpy(&pair, a.bytes[m] + 4 * k, sizeof pair);
        const __m512i left = _mm512_set1_epi32(pair);
        const __m512i right = _mm512_load_si512(b.bytes[k]);
        even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(left, 16)),
                               _mm512_castsi512_ps(_mm512_slli_epi32(right, 16)), even);
        odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(left, upper)),
                              _mm512_castsi512_ps(_mm512_and_si512(right, upper)), odd);
      }
      const __m512 old = _mm512_load_ps(reinterpret_cast<const float*>(sum.bytes[m]));
      _mm512_store_ps(reinterpret_cast<float*>(sum.bytes[m]),
                      _mm512_add_ps(old, _mm512_add_ps(even, odd)));
    }
    _mm_setcsr(caller);
  }
};

}  // namespace fathom::kernels::cpu
