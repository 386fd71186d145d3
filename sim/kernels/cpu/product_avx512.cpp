#include <immintrin.h>

#include "kernels/cpu/product_vector.hpp"

namespace fathom::kernels::cpu::avx512 {
namespace {

/// bf16 widened to fp32 and multiplied there: a bf16 is the upper half of its fp32, so the even
/// inputs of the pairs need a shift, the odd ones a mask. Rows are widened when they are packed.
struct Dot {
  using Word = float;
  static constexpr std::int64_t kWords = 2;
  struct Pair {
    __m512 even;
    __m512 odd;
  };

  static Pair load(const ProductBf16* weights) {
    const __m512i pairs = _mm512_load_si512(weights);
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000U));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(pairs, upper))};
  }
  static void add(__m512 (&sum)[2], const Word* x, const Pair& left, const Pair& right) {
    const __m512 even = _mm512_set1_ps(x[0]);
    const __m512 odd = _mm512_set1_ps(x[1]);
    sum[0] = _mm512_fmadd_ps(left.even, even, sum[0]);
    sum[1] = _mm512_fmadd_ps(right.even, even, sum[1]);
    sum[0] = _mm512_fmadd_ps(left.odd, odd, sum[0]);
    sum[1] = _mm512_fmadd_ps(right.odd, odd, sum[1]);
  }
  static void pack(__m512i inputs, Word* out, std::int64_t stride) {
    alignas(64) float values[32];
    _mm512_store_ps(values, vector::widened(_mm512_castsi512_si256(inputs)));
    _mm512_store_ps(values + 16, vector::widened(_mm512_extracti64x4_epi64(inputs, 1)));
    for (int i = 0; i < 16; ++i) {
      out[i * stride] = values[2 * i];
      out[i * stride + 1] = values[2 * i + 1];
    }
  }
  static void pack_rows(__m512i pairs, Word* out, std::int64_t rows) {
    const auto mask = (std::uint32_t{1} << (2 * rows)) - 1;
    const __m512 first = vector::widened(_mm512_castsi512_si256(pairs));
    const __m512 second = vector::widened(_mm512_extracti64x4_epi64(pairs, 1));
    _mm512_mask_storeu_ps(out, static_cast<__mmask16>(mask), first);
    _mm512_mask_storeu_ps(out + 16, static_cast<__mmask16>(mask >> 16), second);
  }
};
struct Engine : blocks::VectorEngine<Dot> {};

}  // namespace

const ProductKernels kProduct = {.element_bytes = Engine::kElementBytes,
                                 .block_unit = blocks::kVectorRows,
                                 .unit = Engine::unit,
                                 .pack = blocks::pack<Engine>,
                                 .product = blocks::run<Engine>};

}  // namespace fathom::kernels::cpu::avx512
