#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/cpu/bf16.hpp"

namespace fathom::measure {

/// Relative Frobenius error over the outputs that were looked at; NaN (a poisoned output that was
/// not written) makes it infinite.
class SampledError {
 public:
  void add(double got, double want) {
    difference_ += (got - want) * (got - want);
    size_ += want * want;
  }
  double value() const {
    const double error = std::sqrt(difference_ / (size_ > 0.0 ? size_ : 1.0));
    return std::isfinite(error) ? error : INFINITY;
  }

 private:
  double difference_ = 0.0;
  double size_ = 0.0;
};

/// At most `count` of 0..n, evenly spread, the first and last among them.
inline std::vector<std::int64_t> spread(std::int64_t n, std::int64_t count) {
  std::vector<std::int64_t> out;
  if (n <= count) {
    for (std::int64_t i = 0; i < n; ++i) out.push_back(i);
    return out;
  }
  for (std::int64_t i = 0; i < count; ++i) out.push_back(i * (n - 1) / (count - 1));
  return out;
}

/// Rounding an exact result to bf16: half a unit in the last of 8 bits, relative Frobenius about
/// 2^-9 / sqrt(3); the sums before it in fp32 add far less.
inline constexpr double kBf16Output = 0x1p-8;

}  // namespace fathom::measure
