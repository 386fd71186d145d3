#include "kernels/cpu/attention_forms.hpp"
#include "kernels/cpu/attention_simd.hpp"

namespace fathom::kernels::cpu::avx512_bf16 {
namespace {

/// Pairs of bf16 multiplied by vdpbf16ps.
struct Pairs : Avx512Vector {
  using Words = __m512bh;
  static constexpr int kTermsPerWord = 2;
  static constexpr int kPairRows = 8;  // times two panels: 16 sums
  static constexpr int kFewRows = 4;
  static constexpr int kSingleRows = 16;

  static __m512bh load_words(const Word* from) {
    return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
  }
  static __m512bh spread(const Word* one) {
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(*one)));
  }
  static __m512 dot(__m512 sum, __m512bh a, __m512bh b) { return _mm512_dpbf16_ps(sum, a, b); }
  /// 32 columns of two rows as pairs.
  struct Strip {
    PairMixer mix;
    void load(const std::uint16_t* row, std::int64_t stride, __m512bh (&words)[2]) const {
      const __m512i x = _mm512_loadu_si512(row);
      const __m512i y = _mm512_loadu_si512(row + stride);
      words[0] = reinterpret_cast<__m512bh>(_mm512_permutex2var_epi16(x, mix.low, y));
      words[1] = reinterpret_cast<__m512bh>(_mm512_permutex2var_epi16(x, mix.high, y));
    }
  };
  static __m512bh load_elements(const std::uint16_t* from) {
    return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
  }
  static void store_probs(Word* to, __m512 p) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(p)));
  }
  static void store_pair(Word* to, __m512 even, __m512 odd) {
    _mm512_storeu_si512(to, bf16_pairs(even, odd));
  }
  static void value_panels(const AttentionJob& job, const KeyBlock& block, std::int64_t v,
                           Word* to) {
    pair_value_panels(job, block, v, to);
  }
};

}  // namespace

AttentionKernel attention_kernel() {
  return {.attend = attend_on_vectors<Pairs>,
          .index = index_on_vectors<Pairs>,
          .terms_per_word = 2,
          .block_rows = 128,
          .few_block_rows = 64,
          .few_as_rows = true};
}

}  // namespace fathom::kernels::cpu::avx512_bf16
