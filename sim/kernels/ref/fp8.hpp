#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/error.hpp"

namespace fathom::kernels::ref {

/// A binary floating-point format of few bits: sign, exponent field, mantissa field, subnormals.
/// `max` is the largest finite value; what lies above it in the code space is NaN or infinity.
struct MiniFloat {
  int exponent_bits = 0;
  int mantissa_bits = 0;
  int bias = 0;
  double max = 0.0;
  bool operator==(const MiniFloat&) const = default;
};

/// FP8 formats of "FP8 formats for deep learning" (arXiv 2209.05433): e4m3 has no infinity and one
/// NaN per sign (0x7f, 0xff), e5m2 follows IEEE 754.
inline constexpr MiniFloat kE4m3{4, 3, 7, 448.0};
inline constexpr MiniFloat kE5m2{5, 2, 15, 57344.0};
/// FP4 of the OCP Microscaling formats specification v1.0, section 5.3.3: 0, .5, 1, 1.5, 2, 3,
/// 4, 6.
inline constexpr MiniFloat kE2m1{2, 1, 1, 6.0};
inline constexpr MiniFloat kBf16{8, 7, 127, 0x1.FEp127};
inline constexpr MiniFloat kFp16{5, 10, 15, 65504.0};

inline int code_bits(const MiniFloat& f) { return 1 + f.exponent_bits + f.mantissa_bits; }
/// Smallest positive normal and subnormal values.
inline double min_normal(const MiniFloat& f) { return std::ldexp(1.0, 1 - f.bias); }
inline double min_subnormal(const MiniFloat& f) {
  return std::ldexp(1.0, 1 - f.bias - f.mantissa_bits);
}
/// Exponent of the largest value: 8 for e4m3, 2 for e2m1.
inline int max_exponent(const MiniFloat& f) { return std::ilogb(f.max); }

/// `v` on the format's grid as if its exponents had no upper end: to nearest, ties to even.
inline double round_unbounded(const MiniFloat& f, double v) {
  if (v == 0.0 || !std::isfinite(v)) return v;
  const int exponent = std::max(std::ilogb(v), 1 - f.bias);
  const int quantum = exponent - f.mantissa_bits;
  return std::ldexp(std::nearbyint(std::ldexp(v, -quantum)), quantum);
}

/// Nearest value of the format, ties to even; beyond `max` (infinities too) it saturates. NaN
/// stays.
inline double round_to(const MiniFloat& f, double v) {
  return std::isnan(v) ? v : std::clamp(round_unbounded(f, v), -f.max, f.max);
}

/// Code of round_to(v): sign | exponent | mantissa. A NaN becomes all ones below its sign.
inline std::uint32_t encode(const MiniFloat& f, double v) {
  const auto sign = static_cast<std::uint32_t>(std::signbit(v)) << (code_bits(f) - 1);
  if (std::isnan(v)) return sign | ((1U << (code_bits(f) - 1)) - 1U);
  const double magnitude = std::abs(round_to(f, v));
  if (magnitude < min_normal(f)) {
    return sign | static_cast<std::uint32_t>(magnitude / min_subnormal(f));
  }
  const int exponent = std::ilogb(magnitude);
  const double fraction = std::ldexp(magnitude, f.mantissa_bits - exponent);  // 1.m as an integer
  const auto field = static_cast<std::uint32_t>(exponent + f.bias) << f.mantissa_bits;
  return sign | (field + static_cast<std::uint32_t>(fraction) - (1U << f.mantissa_bits));
}

/// Value of a code. Codes above `max` are NaN, except that IEEE-like formats (those whose largest
/// exponent field is reserved) have an infinity at mantissa zero.
inline double decode(const MiniFloat& f, std::uint32_t code) {
  FATHOM_EXPECT(code < (1U << code_bits(f)), "code wider than its format");
  const double sign = (code >> (code_bits(f) - 1)) != 0 ? -1.0 : 1.0;
  const auto field = (code >> f.mantissa_bits) & ((1U << f.exponent_bits) - 1U);
  const auto mantissa = static_cast<double>(code & ((1U << f.mantissa_bits) - 1U));
  const double lead = field == 0 ? 0.0 : std::ldexp(1.0, f.mantissa_bits);
  const int exponent = std::max(static_cast<int>(field), 1) - f.bias - f.mantissa_bits;
  const double magnitude = std::ldexp(lead + mantissa, exponent);
  if (magnitude <= f.max) return sign * magnitude;
  const bool infinite = mantissa == 0.0 && max_exponent(f) + f.bias + 1 == static_cast<int>(field);
  return sign * (infinite ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN());
}

/// Round trips through a format, for values of any scalar.
template <class T>
T round_e4m3(const T& v) {
  return static_cast<T>(round_to(kE4m3, static_cast<double>(v)));
}
template <class T>
T round_e5m2(const T& v) {
  return static_cast<T>(round_to(kE5m2, static_cast<double>(v)));
}
template <class T>
T round_e2m1(const T& v) {
  return static_cast<T>(round_to(kE2m1, static_cast<double>(v)));
}
/// bfloat16 overflows to infinity instead of saturating, as a cast on the device does.
template <class T>
T round_bf16(const T& v) {
  const double rounded = round_unbounded(kBf16, static_cast<double>(v));
  const double infinity = std::numeric_limits<double>::infinity();
  return static_cast<T>(std::abs(rounded) > kBf16.max ? std::copysign(infinity, rounded) : rounded);
}

/// The power of two at or above `v` > 0 ("ue8m0" of DeepSeek-V3.2 and V4 inference/kernel.py).
inline double power_of_two_at_least(double v) {
  const double below = std::ldexp(1.0, std::ilogb(v));
  return below == v ? v : 2.0 * below;
}
/// The power of two at or below `v` > 0 (OCP Microscaling specification v1.0, section 6.3).
inline double power_of_two_at_most(double v) { return std::ldexp(1.0, std::ilogb(v)); }

/// E8M0: an 8-bit exponent of bias 127 without sign or mantissa; 255 is NaN.
inline std::uint32_t encode_e8m0(double power_of_two) {
  return static_cast<std::uint32_t>(std::clamp(std::ilogb(power_of_two), -127, 127) + 127);
}
inline double decode_e8m0(std::uint32_t code) {
  return code == 255 ? std::numeric_limits<double>::quiet_NaN()
                     : std::ldexp(1.0, static_cast<int>(code) - 127);
}

}  // namespace fathom::kernels::ref
