#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/units.hpp"

namespace fathom {

/// How numbers are stored. Scale blocks belong to the name because they change both size and
/// arithmetic.
enum class Dtype : std::uint8_t {
  fp32,
  bf16,
  fp16,
  fp8,        // E4M3, no stored scales (per tensor)
  fp8_block,  // E4M3, one fp32 scale per 1x128 activations or 128x128 weights (DeepSeek-V3 report,
              // section 3.3.2)
  fp8_ue8m0,  // E4M3, the same blocks with a one-byte power-of-two scale (DeepSeek-V3.1)
  mxfp8,      // E4M3, one E8M0 byte per 32
  int8,
  mxfp4,  // E2M1, one E8M0 byte per 32 (OCP MX)
  nvfp4,  // E2M1, one E4M3 byte per 16
  int64,  // index tables only
};
inline constexpr std::size_t kDtypeCount = 11;

/// Which peak an operation runs at.
enum class Math : std::uint8_t { fp32, bf16, fp8, int8, fp4 };
inline constexpr std::size_t kMathCount = 5;

namespace detail {
struct DtypeFacts {
  std::string_view name;
  double bytes;      // payload only
  double act_scale;  // bytes of scale per element of a row vector (activations, KV)
  Math math;
};
inline constexpr std::array<DtypeFacts, kDtypeCount> kDtypeFacts{{
    {"fp32", 4.0, 0.0, Math::fp32},
    {"bf16", 2.0, 0.0, Math::bf16},
    {"fp16", 2.0, 0.0, Math::bf16},
    {"fp8", 1.0, 0.0, Math::fp8},
    {"fp8_block", 1.0, 4.0 / 128.0, Math::fp8},
    {"fp8_ue8m0", 1.0, 1.0 / 128.0, Math::fp8},
    {"mxfp8", 1.0, 1.0 / 32.0, Math::fp8},
    {"int8", 1.0, 0.0, Math::int8},
    {"mxfp4", 0.5, 1.0 / 32.0, Math::fp4},
    {"nvfp4", 0.5, 1.0 / 16.0, Math::fp4},
    {"int64", 8.0, 0.0, Math::fp32},
}};
}  // namespace detail

constexpr std::string_view name(Dtype d) {
  return detail::kDtypeFacts[static_cast<std::size_t>(d)].name;
}
constexpr std::string_view name(Math m) {
  constexpr std::array<std::string_view, kMathCount> names{"fp32", "bf16", "fp8", "int8", "fp4"};
  return names[static_cast<std::size_t>(m)];
}
/// Payload of one element, without scales: fp4 is half a byte.
constexpr Bytes size_of(Dtype d) {
  return Bytes{detail::kDtypeFacts[static_cast<std::size_t>(d)].bytes};
}
/// One element of a row vector (activation, KV entry) with its share of the block scale.
constexpr Bytes row_size_of(Dtype d) {
  const auto& f = detail::kDtypeFacts[static_cast<std::size_t>(d)];
  return Bytes{f.bytes + f.act_scale};
}
/// The arithmetic a matrix unit uses when both inputs have this dtype.
constexpr Math math_of(Dtype d) { return detail::kDtypeFacts[static_cast<std::size_t>(d)].math; }

/// Bytes of a rows x cols weight matrix including its scales; blocks are ceil-divided as in
/// published checkpoints.
Bytes weight_bytes(Dtype d, std::int64_t rows, std::int64_t cols);

/// Throws InputError naming the nearest dtype; `where` is the JSON pointer or flag.
Dtype parse_dtype(std::string_view text, std::string_view where);

}  // namespace fathom
