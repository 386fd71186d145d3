#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <span>
#include <utility>

namespace fathom {

/// Random numbers that are the same everywhere: the engine is fixed by the standard, the
/// distributions and the shuffle of the standard library are not.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [0, 1), all 53 bits of a double.
  double uniform() { return static_cast<double>(engine_() >> 11U) * 0x1p-53; }
  /// Uniform among 0 … n - 1; the bias of the remainder is below n / 2^64.
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  /// Standard normal (Box-Muller, one of the pair).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// The first `count` elements become a random choice without repetition, in random order
  /// (Fisher-Yates from the front).
  template <class T>
  void choose(std::span<T> items, std::size_t count) {
    for (std::size_t i = 0; i < count && i < items.size(); ++i) {
      std::swap(items[i], items[i + static_cast<std::size_t>(below(items.size() - i))]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace fathom
