#include "kernels/cpu/attention_forms.hpp"
#include "kernels/cpu/attention_simd.hpp"

namespace fathom::kernels::cpu::avx512 {
namespace {

__m512i widened(const std::uint16_t* from) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

/// bf16 widened to fp32 once per block, fused multiply-add.
struct Widened : Avx512Vector {
  using Words = __m512;
  static constexpr int kTermsPerWord = 1;
  static constexpr int kPairRows = 8;  // times two panels: 16 sums
  static constexpr int kFewRows = 4;
  static constexpr int kSingleRows = 16;

  static __m512 load_words(const Word* from) {
    return _mm512_castsi512_ps(_mm512_loadu_si512(from));
  }
  static __m512 spread(const Word* one) {
    return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(*one)));
  }
  static __m512 dot(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }
  /// 32 columns of a row.
  struct Strip {
    static void load(const std::uint16_t* row, std::int64_t, __m512 (&words)[2]) {
      words[0] = load_elements(row);
      words[1] = load_elements(row + kLanes);
    }
  };
  static __m512 load_elements(const std::uint16_t* from) {
    return _mm512_castsi512_ps(widened(from));
  }
  static void store_probs(Word* to, __m512 p) { _mm512_storeu_si512(to, _mm512_castps_si512(p)); }
  static void store_pair(Word* to, __m512 even, __m512 odd) {
    _mm512_storeu_si512(to, _mm512_castps_si512(even));
    _mm512_storeu_si512(to + kLanes, _mm512_castps_si512(odd));
  }
  static void widen_row(const std::uint16_t* row, std::int64_t count, Word* to) {
    for (std::int64_t i = 0; i < count; i += kLanes) _mm512_storeu_si512(to + i, widened(row + i));
  }
  /// Columns v..v + 32, panels [2][block rows][16]; asks for the same lines of the next block.
  static void value_panels(const AttentionJob& job, const KeyBlock& block, std::int64_t v,
                           Word* to) {
    for (std::int64_t c = 0; c < block.chunks; ++c)
      for (int r = 0; r < kChunkRows; ++r, to += kLanes) {
        const std::uint16_t* from = block.values[c].rows + r * block.values[c].stride + v;
        const Chunk& next = block.next_values[c];
        _mm_prefetch(reinterpret_cast<const char*>(next.rows + r * next.stride + v), _MM_HINT_T1);
        _mm512_storeu_si512(to, widened(from));
        _mm512_storeu_si512(to + job.block_rows * kLanes, widened(from + kLanes));
      }
  }
};

}  // namespace

AttentionKernel attention_kernel() {
  return {.attend = attend_on_vectors<Widened>,
          .index = index_on_vectors<Widened>,
          .terms_per_word = 1,
          .block_rows = 32,
          .few_block_rows = 32,
          .few_as_rows = true};
}

}  // namespace fathom::kernels::cpu::avx512
