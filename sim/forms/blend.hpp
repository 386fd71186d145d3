#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "core/portable_math.hpp"

namespace fathom::forms {

inline constexpr double kMicro = 1e-6;
inline constexpr double kNano = 1e-9;
inline constexpr double kPico = 1e-12;
inline constexpr double kGiga = 1e9;

/// Smooth maximum of what a kernel does at the same time, (a^p + b^p + …)^(1/p): p = 1 is a sum (no
/// overlap), p towards infinity the slowest part (perfect overlap).
inline double blend(double p, std::initializer_list<double> parts) {
  const double top = std::max(parts);
  if (!(top > 0.0)) return 0.0;
  double sum = 0.0;
  for (const double part : parts) {
    if (part > 0.0) sum += part == top ? 1.0 : portable::pow(part / top, p);
  }
  return top * portable::pow(sum, 1.0 / p);
}

/// Smooth minimum, the mirror of blend(): which of several algorithms a library picks.
inline double soft_min(double r, std::initializer_list<double> parts) {
  const double low = std::min(parts);
  double sum = 0.0;
  for (const double part : parts) sum += portable::pow(low / part, r);
  return low / portable::pow(sum, 1.0 / r);
}

/// How many blocks of `size` cover `count`; a hair above a multiple still counts as that multiple.
inline double blocks(double count, double size = 1.0) {
  // A conversion and a comparison: std::ceil is a library call on the baseline x86-64.
  const double exact = count / size - 1e-9;
  if (!(std::abs(exact) < 0x1p53)) return exact;
  const auto below = static_cast<double>(static_cast<std::int64_t>(exact));
  return below < exact ? below + 1.0 : below;
}

/// Rounds that `ctas` thread blocks take on `slots` places. `quantised` is the share of a started
/// round that has to be paid: 1 is a classic grid, 0 a persistent kernel that levels the tail.
inline double waves(double quantised, double ctas, double slots) {
  return quantised * blocks(ctas, slots) + (1.0 - quantised) * std::max(1.0, ctas / slots);
}

}  // namespace fathom::forms
