#pragma once

#include <immintrin.h>

#include <cstdint>

// AVX-512 arithmetic on 16 fp32 lanes, for sources compiled with it. Everything is static.
namespace fathom::kernels::cpu::vector {

/// fp32 to bf16, nearest even, NaN stays (as cpu::to_bf16; vcvtneps2bf16 would flush denormals).
static inline __m256i rounded_bf16(__m512 value) {
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet));
}

static inline __m512 widened(__m256i bf16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

/// e^x by 2^n e^r, |r| <= ln(2)/2, Taylor to r^7 (its remainder is 3e-9 of the result); overflows
/// to infinity, underflows to zero.
static inline __m512 exp(__m512 x) {
  const __m512 low = _mm512_set1_ps(-104.0F);
  const __m512 high = _mm512_set1_ps(89.0F);
  const __m512 clamped = _mm512_min_ps(_mm512_max_ps(x, low), high);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(clamped, _mm512_set1_ps(1.44269504F)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62e4p-1F), clamped);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.7f7d1cp-20F), r);
  __m512 sum = _mm512_set1_ps(1.0F / 5040.0F);
  constexpr float kFactors[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F};
  for (const float factor : kFactors) sum = _mm512_fmadd_ps(sum, r, _mm512_set1_ps(factor));
  return _mm512_scalef_ps(sum, n);
}

/// x / (1 + e^-x)
static inline __m512 silu(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0F);
  const __m512 minus = _mm512_sub_ps(_mm512_setzero_ps(), x);
  return _mm512_div_ps(x, _mm512_add_ps(one, vector::exp(minus)));
}

}  // namespace fathom::kernels::cpu::vector
