#include <immintrin.h>

#include "kernels/cpu/elementwise_rows.hpp"
#include "kernels/cpu/vector_math.hpp"

namespace fathom::kernels::cpu::avx512 {
namespace {

using Bf16 = std::uint16_t;

/// Lanes that hold values from element `at` of `count` on.
__mmask16 lanes(std::int64_t at, std::int64_t count) {
  return count - at >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1U << (count - at)) - 1);
}
void store_bf16(Bf16* to, __mmask16 mask, __m512 values) {
  _mm256_mask_storeu_epi16(to, mask, vector::rounded_bf16(values));
}
__m512 load_bf16(const Bf16* from, __mmask16 mask) {
  return vector::widened(_mm256_maskz_loadu_epi16(mask, from));
}

/// Adds x to the residual where there is one, and returns the sum of squares.
float squares_of(const float* x, float* residual, std::int64_t width) {
  __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (std::int64_t i = 0; i < width; i += 16) {
    const __mmask16 mask = lanes(i, width);
    __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    if (residual != nullptr) {
      value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, residual + i));
      _mm512_mask_storeu_ps(residual + i, mask, value);
    }
    __m512& sum = sums[i / 16 % 2];
    sum = _mm512_fmadd_ps(value, value, sum);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
}

void rms_norm(const float* x, float* residual, const float* weight, std::int64_t width, float eps,
              Bf16* y) {
  const float mean = squares_of(x, residual, width) / static_cast<float>(width);
  const __m512 root = _mm512_sqrt_ps(_mm512_set1_ps(mean + eps));
  const __m512 scale = _mm512_div_ps(_mm512_set1_ps(1.0F), root);
  const float* from = residual != nullptr ? residual : x;
  for (std::int64_t i = 0; i < width; i += 16) {
    const __mmask16 mask = lanes(i, width);
    const __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, from + i), scale);
    store_bf16(y + i, mask, _mm512_mul_ps(value, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

/// Pairs of neighbours are the halves of a 32-bit lane; `rotated` puts them back the same way.
struct Turned {
  __m512 a;
  __m512 b;
};
Turned turned(__m512 a, __m512 b, __m512 cos, __m512 sin) {
  return {_mm512_sub_ps(_mm512_mul_ps(a, cos), _mm512_mul_ps(b, sin)),
          _mm512_add_ps(_mm512_mul_ps(a, sin), _mm512_mul_ps(b, cos))};
}

void rope_adjacent(Bf16* x, std::int64_t dim, const float* cos, const float* sin, bool apart) {
  alignas(64) Bf16 out[kMostRopeDim];
  const std::int64_t half = dim / 2;
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000U));
  for (std::int64_t i = 0; i < half; i += 16) {
    const __mmask16 mask = lanes(i, half);
    const __m512i pairs = _mm512_maskz_loadu_epi32(mask, x + 2 * i);
    const Turned t =
        turned(_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
               _mm512_castsi512_ps(_mm512_and_si512(pairs, upper)),
               _mm512_maskz_loadu_ps(mask, cos + i), _mm512_maskz_loadu_ps(mask, sin + i));
    if (apart) {
      store_bf16(out + i, mask, t.a);
      store_bf16(out + half + i, mask, t.b);
      continue;
    }
    const __m512i low = _mm512_cvtepu16_epi32(vector::rounded_bf16(t.a));
    const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(vector::rounded_bf16(t.b)), 16);
    _mm512_mask_storeu_epi32(x + 2 * i, mask, _mm512_or_si512(low, high));
  }
  if (!apart) return;
  for (std::int64_t i = 0; i < dim; i += 16) {
    const __mmask16 mask = lanes(i, dim);
    _mm256_mask_storeu_epi16(x + i, mask, _mm256_maskz_loadu_epi16(mask, out + i));
  }
}

void rope_half(Bf16* x, std::int64_t dim, const float* cos, const float* sin) {
  const std::int64_t half = dim / 2;
  for (std::int64_t i = 0; i < half; i += 16) {
    const __mmask16 mask = lanes(i, half);
    const Turned t =
        turned(load_bf16(x + i, mask), load_bf16(x + half + i, mask),
               _mm512_maskz_loadu_ps(mask, cos + i), _mm512_maskz_loadu_ps(mask, sin + i));
    store_bf16(x + i, mask, t.a);
    store_bf16(x + half + i, mask, t.b);
  }
}

void swiglu(const float* gate, const float* up, std::int64_t width, Bf16* y) {
  for (std::int64_t i = 0; i < width; i += 16) {
    const __mmask16 mask = lanes(i, width);
    const __m512 hidden = vector::silu(_mm512_maskz_loadu_ps(mask, gate + i));
    store_bf16(y + i, mask, _mm512_mul_ps(hidden, _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

/// e4m3 codes, nearest, ties to even, saturating. Below the smallest normal, 2^-6, the code counts
/// smallest subnormals, 2^-9; above it is the upper exponent and mantissa bits with bias 7.
__m128i e4m3(__m512 values) {
  const __m512i bits = _mm512_castps_si512(values);
  const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 24), _mm512_set1_epi32(0x80));
  const __m512i body = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
  const __m512 magnitude = _mm512_castsi512_ps(body);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(body, 20), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(body, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7ffff)));
  const __m512i normal =
      _mm512_sub_epi32(_mm512_srli_epi32(rounded, 20), _mm512_set1_epi32(120 << 3));
  const __m512i units = _mm512_cvt_roundps_epi32(_mm512_mul_ps(magnitude, _mm512_set1_ps(512.0F)),
                                                 _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __mmask16 small = _mm512_cmp_ps_mask(magnitude, _mm512_set1_ps(0x1p-6F), _CMP_LT_OQ);
  const __mmask16 large = _mm512_cmp_ps_mask(magnitude, _mm512_set1_ps(kFp8Max), _CMP_GE_OQ);
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  __m512i code = _mm512_mask_mov_epi32(normal, small, units);
  code = _mm512_mask_mov_epi32(code, large, _mm512_set1_epi32(0x7e));
  code = _mm512_mask_mov_epi32(code, nan, _mm512_set1_epi32(0x7f));
  return _mm512_cvtepi32_epi8(_mm512_or_si512(sign, code));
}

/// The exponent and mantissa moved to their fp32 places give value x 2^-120, subnormals included.
__m512 from_e4m3(__m128i codes) {
  const __m512i code = _mm512_cvtepu8_epi32(codes);
  const __m512i sign = _mm512_slli_epi32(_mm512_and_si512(code, _mm512_set1_epi32(0x80)), 24);
  const __m512i magnitude = _mm512_and_si512(code, _mm512_set1_epi32(0x7f));
  const __m512i field = _mm512_slli_epi32(magnitude, 20);
  __m512 value = _mm512_mul_ps(_mm512_castsi512_ps(field), _mm512_set1_ps(0x1p120F));
  const __mmask16 nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7f));
  value = _mm512_mask_mov_ps(value, nan, _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000)));
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(value), sign));
}

float amax(const float* x, std::int64_t count) {
  __m512 top = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < count; i += 16)
    top = _mm512_max_ps(_mm512_abs_ps(_mm512_maskz_loadu_ps(lanes(i, count), x + i)), top);
  return _mm512_reduce_max_ps(top);
}

void quantise_fp8(const float* x, std::int64_t count, std::uint8_t* codes, float* scale) {
  const float top = amax(x, count);
  *scale = (top > kFp8AmaxFloor ? top : kFp8AmaxFloor) / kFp8Max;
  const __m512 divisor = _mm512_set1_ps(*scale);
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = lanes(i, count);
    const __m512 scaled = _mm512_div_ps(_mm512_maskz_loadu_ps(mask, x + i), divisor);
    _mm_mask_storeu_epi8(codes + i, mask, e4m3(scaled));
  }
}

void dequantise_fp8(const std::uint8_t* codes, std::int64_t count, float scale, float* y) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = lanes(i, count);
    const __m512 value = from_e4m3(_mm_maskz_loadu_epi8(mask, codes + i));
    _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(value, factor));
  }
}

void quantise_int8(const float* x, std::int64_t count, std::int8_t* codes, float* scale) {
  const float top = amax(x, count);
  *scale = top > 0.0F ? top / kInt8Max : 1.0F;
  const __m512 divisor = _mm512_set1_ps(*scale);
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = lanes(i, count);
    const __m512 scaled = _mm512_div_ps(_mm512_maskz_loadu_ps(mask, x + i), divisor);
    const __m512i rounded =
        _mm512_cvt_roundps_epi32(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512i least = _mm512_set1_epi32(-127);  // -128 has no counterpart
    _mm_mask_storeu_epi8(codes + i, mask, _mm512_cvtsepi32_epi8(_mm512_max_epi32(rounded, least)));
  }
}

void dequantise_int8(const std::int8_t* codes, std::int64_t count, float scale, float* y) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = lanes(i, count);
    const __m512 value =
        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, codes + i)));
    _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(value, factor));
  }
}

void to_bf16(const float* from, std::int64_t count, Bf16* to) {
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = lanes(i, count);
    store_bf16(to + i, mask, _mm512_maskz_loadu_ps(mask, from + i));
  }
}

void to_float(const Bf16* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = lanes(i, count);
    _mm512_mask_storeu_ps(to + i, mask, load_bf16(from + i, mask));
  }
}

}  // namespace

const ElementwiseKernels kElementwise = {.rms_norm = rms_norm,
                                         .rope_adjacent = rope_adjacent,
                                         .rope_half = rope_half,
                                         .swiglu = swiglu,
                                         .quantise_fp8 = quantise_fp8,
                                         .dequantise_fp8 = dequantise_fp8,
                                         .quantise_int8 = quantise_int8,
                                         .dequantise_int8 = dequantise_int8,
                                         .to_bf16 = to_bf16,
                                         .to_float = to_float};

}  // namespace fathom::kernels::cpu::avx512
