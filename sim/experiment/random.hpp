#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace fathom::experiment {

/// Random numbers that are the same everywhere: the engine is fixed by the standard, the
/// distributions of the standard library are not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [0, 1), all 53 bits of a double.
  double uniform() { return static_cast<double>(engine_() >> 11U) * 0x1p-53; }
  /// Standard normal (Box-Muller, one of the pair).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace fathom::experiment
