#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/attention_job.hpp"

// What the attention kernels share that are compiled for AVX-512. Everything is internal to the
// source that includes it.
namespace fathom::kernels::cpu {
namespace {

/// 16 fp32 in a register.
struct Avx512Vector {
  using Vector = __m512;
  static __m512 set1(float x) { return _mm512_set1_ps(x); }
  static __m512 load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, __m512 x) { _mm512_storeu_ps(to, x); }
  static __m512 add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
  static __m512 sub(__m512 a, __m512 b) { return _mm512_sub_ps(a, b); }
  static __m512 mul(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
  static __m512 max(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
  static __m512 multiply_add(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
  static __m512 multiply_sub(__m512 a, __m512 b, __m512 c) { return _mm512_fmsub_ps(a, b, c); }
  static __m512 round(__m512 a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static __m512 scale(__m512 a, __m512 power) { return _mm512_scalef_ps(a, power); }
  static __m512 raise(__m512 old, __m512 best, float slack) {
    const __mmask16 grown = _mm512_cmp_ps_mask(best, _mm512_add_ps(old, set1(slack)), _CMP_GT_OQ);
    return _mm512_mask_mov_ps(old, grown, best);
  }
  /// Lane i: the sum over x[i].
  static __m512 lane_sums(const __m512 (&x)[16]) {
    __m512 pairs[8], fours[4], eights[2];
    for (int i = 0; i < 8; ++i)
      pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]),
                               _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]));
    for (int i = 0; i < 4; ++i) {
      const __m512d a = _mm512_castps_pd(pairs[2 * i]), b = _mm512_castps_pd(pairs[2 * i + 1]);
      fours[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                               _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
    for (int i = 0; i < 2; ++i)
      eights[i] = _mm512_add_ps(_mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0x88),
                                _mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0xdd));
    return _mm512_add_ps(_mm512_shuffle_f32x4(eights[0], eights[1], 0x88),
                         _mm512_shuffle_f32x4(eights[0], eights[1], 0xdd));
  }
  static float largest_lane(__m512 x) { return _mm512_reduce_max_ps(x); }
  static float lane_sum(__m512 x) { return _mm512_reduce_add_ps(x); }
  /// Lanes at positions first, first + 1, ... that lie in begin..end; `otherwise` in the others.
  static __m512 keep_range(__m512 x, std::int64_t first, std::int64_t begin, std::int64_t end,
                           float otherwise) {
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i at = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(first)));
    const __mmask16 seen = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(static_cast<int>(begin))) &
                           _mm512_cmplt_epi32_mask(at, _mm512_set1_epi32(static_cast<int>(end)));
    return _mm512_mask_mov_ps(set1(otherwise), seen, x);
  }
  static void ask_for(const void* line) {
    _mm_prefetch(static_cast<const char*>(line), _MM_HINT_T1);
  }
  static bool equal(__m512 a, __m512 b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ) == 0; }
  static __m512 keep(__m512 x, std::int64_t position, const AttentionJob& job, std::int64_t group,
                     float otherwise) {
    const __m512i at = _mm512_set1_epi32(static_cast<int>(position));
    const __m512i begin = _mm512_loadu_si512(job.begin + group * kLanes);
    const __m512i end = _mm512_loadu_si512(job.end + group * kLanes);
    const __mmask16 seen = _mm512_cmple_epi32_mask(begin, at) & _mm512_cmplt_epi32_mask(at, end);
    return _mm512_mask_mov_ps(set1(otherwise), seen, x);
  }
};

/// Row pairs a, b of a 32-column strip as words (a[i], b[i]): columns 0-15, then 16-31.
struct PairMixer {
  __m512i low, high;
  PairMixer() {
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    // Word i takes element i of the first and of the second (32 + i) register.
    low = _mm512_or_si512(lanes,
                          _mm512_slli_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(32)), 16));
    high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  }
};

/// Columns v..v + 32 of a block's values as bf16 pairs, panels [2][block rows / 2][16]; asks for
/// the same lines of the next block.
inline void pair_value_panels(const AttentionJob& job, const KeyBlock& block, std::int64_t v,
                              Word* to) {
  const PairMixer mix;
  const std::int64_t panel = job.block_rows / 2 * kLanes;
  for (std::int64_t c = 0; c < block.chunks; ++c) {
    const Chunk& rows = block.values[c];
    const bool asked = job.shared && v >= job.ask_from;  // then: a line that is here already
    const Chunk& next = asked ? block.values[c] : block.next_values[c];
    for (int r = 0; r < kChunkRows; r += 2, to += kLanes) {
      const std::uint16_t* a = rows.rows + r * rows.stride + v;
      const std::uint16_t* later = next.rows + r * next.stride + v;
      const __m512i x = _mm512_loadu_si512(a);
      const __m512i y = _mm512_loadu_si512(a + rows.stride);
      _mm_prefetch(reinterpret_cast<const char*>(later), _MM_HINT_T1);
      _mm_prefetch(reinterpret_cast<const char*>(later + next.stride), _MM_HINT_T1);
      _mm512_storeu_si512(to, _mm512_permutex2var_epi16(x, mix.low, y));
      _mm512_storeu_si512(to + panel, _mm512_permutex2var_epi16(x, mix.high, y));
    }
  }
}

#ifdef __AVX512BF16__
/// 16 pairs of bf16, the even one in the lower half.
inline __m512i bf16_pairs(__m512 even, __m512 odd) {
  const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(even));
  const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(odd));
  return _mm512_or_si512(_mm512_cvtepu16_epi32(low),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
}
#endif

}  // namespace
}  // namespace fathom::kernels::cpu
