#include <immintrin.h>

#include "kernels/cpu/product_vector.hpp"

namespace fathom::kernels::cpu::avx512_bf16 {
namespace {

/// vdpbf16ps: both products of a pair of bf16 onto the sum. Takes denormals for zero.
struct Dot {
  using Word = std::uint32_t;
  static constexpr std::int64_t kWords = 1;
  using Pair = __m512i;

  static Pair load(const ProductBf16* weights) { return _mm512_load_si512(weights); }
  static void add(__m512 (&sum)[2], const Word* x, Pair left, Pair right) {
    const auto row = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(*x)));
    sum[0] = _mm512_dpbf16_ps(sum[0], reinterpret_cast<__m512bh>(left), row);
    sum[1] = _mm512_dpbf16_ps(sum[1], reinterpret_cast<__m512bh>(right), row);
  }
  static void pack(__m512i inputs, Word* out, std::int64_t stride) {
    alignas(64) Word pairs[16];
    _mm512_store_si512(pairs, inputs);
    for (int i = 0; i < 16; ++i) out[i * stride] = pairs[i];
  }
  static void pack_rows(__m512i pairs, Word* out, std::int64_t rows) {
    _mm512_mask_storeu_epi32(out, static_cast<__mmask16>((1U << rows) - 1), pairs);
  }
};
struct Engine : blocks::VectorEngine<Dot> {};

}  // namespace

const ProductKernels kProduct = {.element_bytes = Engine::kElementBytes,
                                 .block_unit = blocks::kVectorRows,
                                 .unit = Engine::unit,
                                 .pack = blocks::pack<Engine>,
                                 .product = blocks::run<Engine>};

}  // namespace fathom::kernels::cpu::avx512_bf16
