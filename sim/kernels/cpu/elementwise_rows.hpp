#pragma once

#include <cstdint>

// One row of each pointwise kernel, per instruction set, as plain types. elementwise.hpp says what
// they compute.
namespace fathom::kernels::cpu {

struct ElementwiseKernels {
  /// x += residual into residual when given; y = bf16(x / rms * weight).
  void (*rms_norm)(const float* x, float* residual, const float* weight, std::int64_t width,
                   float eps, std::uint16_t* y);
  /// Pairs (2i, 2i+1) in place, to [evens | odds] when `apart`.
  void (*rope_adjacent)(std::uint16_t* x, std::int64_t dim, const float* cos, const float* sin,
                        bool apart);
  /// Pairs (i, i + dim/2) in place.
  void (*rope_half)(std::uint16_t* x, std::int64_t dim, const float* cos, const float* sin);
  void (*swiglu)(const float* gate, const float* up, std::int64_t width, std::uint16_t* y);
  /// One scale for `count` values.
  void (*quantise_fp8)(const float* x, std::int64_t count, std::uint8_t* codes, float* scale);
  void (*dequantise_fp8)(const std::uint8_t* codes, std::int64_t count, float scale, float* y);
  void (*quantise_int8)(const float* x, std::int64_t count, std::int8_t* codes, float* scale);
  void (*dequantise_int8)(const std::int8_t* codes, std::int64_t count, float scale, float* y);
  void (*to_bf16)(const float* from, std::int64_t count, std::uint16_t* to);
  void (*to_float)(const std::uint16_t* from, std::int64_t count, float* to);
};

namespace portable {
extern const ElementwiseKernels kElementwise;
}
namespace avx512 {
extern const ElementwiseKernels kElementwise;
}

// Of the quantisers: DeepSeek-V3 inference/kernel.py, and the largest values of the formats.
inline constexpr float kFp8AmaxFloor = 1e-4F;
inline constexpr float kFp8Max = 448.0F;
inline constexpr float kInt8Max = 127.0F;
inline constexpr std::int64_t kMostRopeDim = 512;

}  // namespace fathom::kernels::cpu
