#pragma once

#include <cstdint>

#include "kernels/ref/fp8.hpp"

namespace fathom::kernels::ref {

/// How a block's scale follows from its largest magnitude, amax. All of it is float32 arithmetic.
enum class ScaleRule {
  divided,     ///< amax / max; x / scale. DeepSeek-V3 inference/kernel.py
  reciprocal,  ///< amax * (1 / max); x / scale. DeepSeek-V3.2 and V4 inference/kernel.py
  multiplied,  ///< amax / max; x * (max / amax). TileKernels torch/cast.py
};
/// The values a scale may take.
enum class ScaleGrid {
  float32,
  ue8m0,   ///< rounded up to a power of two, so that no element saturates (DeepSeek)
  ocp_mx,  ///< 2^(floor(log2 amax) - exponent of max): elements above max saturate (OCP MX v1.0)
  e4m3,    ///< e4m3 times one float32 scale per tensor (NVFP4)
};

/// A block-scaled number format. A block is `rows` x `cols` elements of the matrix [all leading
/// dimensions, last dimension], ragged at the far edges; 0 spans the whole extent.
struct BlockFormat {
  MiniFloat element = kE4m3;
  std::int64_t rows = 1;
  std::int64_t cols = 128;
  ScaleRule rule = ScaleRule::divided;
  ScaleGrid grid = ScaleGrid::float32;
  float amax_floor = 1e-4F;  // of the DeepSeek kernels: keeps the scale of a zero block finite
  bool operator==(const BlockFormat&) const = default;
};

// Activations (1 x 128) and weights (128 x 128): DeepSeek-V3 report, section 3.3.2.
inline constexpr BlockFormat kActivationV3{};
inline constexpr BlockFormat kActivationV32{.rule = ScaleRule::reciprocal};
inline constexpr BlockFormat kActivationUe8m0{.rule = ScaleRule::reciprocal,
                                              .grid = ScaleGrid::ue8m0};
inline constexpr BlockFormat kActivationTileKernels{.rule = ScaleRule::multiplied};
inline constexpr BlockFormat kWeight{.rows = 128};
inline constexpr BlockFormat kPerTensor{.rows = 0, .cols = 0};
/// DeepSeek-V4 inference/kernel.py, fp4_quant_kernel: groups of 32, amax at least 6 * 2^-126.
inline constexpr BlockFormat kFp4V4{.element = kE2m1,
                                    .cols = 32,
                                    .rule = ScaleRule::reciprocal,
                                    .grid = ScaleGrid::ue8m0,
                                    .amax_floor = 0x1.8p-124F};
inline constexpr BlockFormat kMxfp8{.cols = 32, .grid = ScaleGrid::ocp_mx, .amax_floor = 0x1p-118F};
inline constexpr BlockFormat kMxfp4{
    .element = kE2m1, .cols = 32, .grid = ScaleGrid::ocp_mx, .amax_floor = 0x1p-124F};
/// Groups of 16 under e4m3 scales under one float32 scale: NVIDIA, "Introducing NVFP4" (2025).
inline constexpr BlockFormat kNvfp4{
    .element = kE2m1, .cols = 16, .grid = ScaleGrid::e4m3, .amax_floor = 0.0F};

/// Storage per element, the block's scale included; NVFP4's one scale per tensor is left out.
inline double bits_per_element(const BlockFormat& format) {
  const bool whole_tensor = format.rows == 0 || format.cols == 0;
  const double scale_bits = format.grid == ScaleGrid::float32 ? 32.0 : 8.0;
  return code_bits(format.element) +
         (whole_tensor ? 0.0 : scale_bits / static_cast<double>(format.rows * format.cols));
}

}  // namespace fathom::kernels::ref
