#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace fathom::kernels::cpu {

/// Storage of a bfloat16: the upper half of an fp32.
using Bf16 = std::uint16_t;

constexpr float to_float(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

/// Nearest, ties to even; NaN stays NaN.
constexpr Bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<Bf16>((bits >> 16) | 0x40U);
  return static_cast<Bf16>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

inline void to_bf16(std::span<const float> from, Bf16* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = to_bf16(from[i]);
}

}  // namespace fathom::kernels::cpu
