#pragma once

#include <immintrin.h>

// For sources compiled with AVX-512. Everything is static.
namespace fathom::kernels::cpu::vector {

/// 16 x 16 words: element j of row i becomes element i of row j. Words within lanes of 128 bits
/// first, then the lanes.
static inline void transpose(__m512i (&rows)[16]) {
  __m512i quads[16];  // [4 a + c]: of rows 4 a .. 4 a + 3, columns 4 l + c in lane l
#pragma GCC unroll 4
  for (int a = 0; a < 4; ++a) {
    const __m512i low01 = _mm512_unpacklo_epi32(rows[4 * a], rows[4 * a + 1]);
    const __m512i high01 = _mm512_unpackhi_epi32(rows[4 * a], rows[4 * a + 1]);
    const __m512i low23 = _mm512_unpacklo_epi32(rows[4 * a + 2], rows[4 * a + 3]);
    const __m512i high23 = _mm512_unpackhi_epi32(rows[4 * a + 2], rows[4 * a + 3]);
    quads[4 * a] = _mm512_unpacklo_epi64(low01, low23);
    quads[4 * a + 1] = _mm512_unpackhi_epi64(low01, low23);
    quads[4 * a + 2] = _mm512_unpacklo_epi64(high01, high23);
    quads[4 * a + 3] = _mm512_unpackhi_epi64(high01, high23);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    // Lanes 0 1 and 2 3 of two quads each, then one lane of all four.
    const __m512i near01 = _mm512_shuffle_i32x4(quads[c], quads[4 + c], 0x44);
    const __m512i far01 = _mm512_shuffle_i32x4(quads[c], quads[4 + c], 0xee);
    const __m512i near23 = _mm512_shuffle_i32x4(quads[8 + c], quads[12 + c], 0x44);
    const __m512i far23 = _mm512_shuffle_i32x4(quads[8 + c], quads[12 + c], 0xee);
    rows[c] = _mm512_shuffle_i32x4(near01, near23, 0x88);
    rows[4 + c] = _mm512_shuffle_i32x4(near01, near23, 0xdd);
    rows[8 + c] = _mm512_shuffle_i32x4(far01, far23, 0x88);
    rows[12 + c] = _mm512_shuffle_i32x4(far01, far23, 0xdd);
  }
}

}  // namespace fathom::kernels::cpu::vector
