#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/elementwise_rows.hpp"

namespace fathom::kernels::cpu::portable {
namespace {

void rms_norm(const float* x, float* residual, const float* weight, std::int64_t width, float eps,
              Bf16* y) {
  const float* from = x;
  if (residual != nullptr) {
    for (std::int64_t i = 0; i < width; ++i) residual[i] += x[i];
    from = residual;
  }
  double squares = 0.0;
  for (std::int64_t i = 0; i < width; ++i) squares += double{from[i]} * double{from[i]};
  const auto scale =
      static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width) + double{eps}));
  for (std::int64_t i = 0; i < width; ++i) y[i] = cpu::to_bf16(from[i] * scale * weight[i]);
}

void rope_adjacent(Bf16* x, std::int64_t dim, const float* cos, const float* sin, bool apart) {
  Bf16 in[kMostRopeDim];
  std::copy_n(x, dim, in);
  for (std::int64_t i = 0; i < dim / 2; ++i) {
    const float a = cpu::to_float(in[2 * i]);
    const float b = cpu::to_float(in[2 * i + 1]);
    x[apart ? i : 2 * i] = cpu::to_bf16(a * cos[i] - b * sin[i]);
    x[apart ? i + dim / 2 : 2 * i + 1] = cpu::to_bf16(a * sin[i] + b * cos[i]);
  }
}

void rope_half(Bf16* x, std::int64_t dim, const float* cos, const float* sin) {
  for (std::int64_t i = 0; i < dim / 2; ++i) {
    const float a = cpu::to_float(x[i]);
    const float b = cpu::to_float(x[i + dim / 2]);
    x[i] = cpu::to_bf16(a * cos[i] - b * sin[i]);
    x[i + dim / 2] = cpu::to_bf16(a * sin[i] + b * cos[i]);
  }
}

void swiglu(const float* gate, const float* up, std::int64_t width, Bf16* y) {
  for (std::int64_t i = 0; i < width; ++i)
    y[i] = cpu::to_bf16(gate[i] / (1.0F + std::exp(-gate[i])) * up[i]);
}

/// e4m3, nearest, ties to even, saturating: in units of the smallest subnormal (2^-9) below the
/// smallest normal (2^-6), else the upper 3 mantissa bits with the exponent's bias 127 made 7.
std::uint8_t e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint8_t>(bits >> 24 & 0x80U);
  const float magnitude = std::abs(value);
  if (magnitude != magnitude) return sign | 0x7fU;
  if (magnitude >= kFp8Max) return sign | 0x7eU;
  if (magnitude < 0x1p-6F)
    return static_cast<std::uint8_t>(sign | static_cast<int>(std::nearbyint(magnitude * 512.0F)));
  const std::uint32_t body = bits & 0x7fffffffU;
  const std::uint32_t rounded = body + 0x7ffffU + (body >> 20 & 1U);
  return static_cast<std::uint8_t>(sign | ((rounded >> 20) - (120U << 3)));
}

float from_e4m3(std::uint8_t code) {
  const int field = code >> 3 & 15;
  const int mantissa = code & 7;
  float magnitude =
      std::ldexp(static_cast<float>(field == 0 ? mantissa : 8 + mantissa), std::max(field, 1) - 10);
  if ((code & 0x7f) == 0x7f) magnitude = NAN;
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

float amax(const float* x, std::int64_t count) {
  float top = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) top = std::max(top, std::abs(x[i]));
  return top;
}

void quantise_fp8(const float* x, std::int64_t count, std::uint8_t* codes, float* scale) {
  *scale = std::max(amax(x, count), kFp8AmaxFloor) / kFp8Max;
  for (std::int64_t i = 0; i < count; ++i) codes[i] = e4m3(x[i] / *scale);
}

void dequantise_fp8(const std::uint8_t* codes, std::int64_t count, float scale, float* y) {
  float values[256];
  for (int code = 0; code < 256; ++code) values[code] = from_e4m3(static_cast<std::uint8_t>(code));
  for (std::int64_t i = 0; i < count; ++i) y[i] = values[codes[i]] * scale;
}

void quantise_int8(const float* x, std::int64_t count, std::int8_t* codes, float* scale) {
  const float top = amax(x, count);
  *scale = top > 0.0F ? top / kInt8Max : 1.0F;
  for (std::int64_t i = 0; i < count; ++i)
    codes[i] =
        static_cast<std::int8_t>(std::clamp(std::nearbyint(x[i] / *scale), -kInt8Max, kInt8Max));
}

void dequantise_int8(const std::int8_t* codes, std::int64_t count, float scale, float* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(codes[i]) * scale;
}

void to_bf16(const float* from, std::int64_t count, Bf16* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = cpu::to_bf16(from[i]);
}

void to_float(const Bf16* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = cpu::to_float(from[i]);
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

}  // namespace fathom::kernels::cpu::portable
