#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

namespace fathom::calib {

/// How far predictions are off: |predicted / measured - 1|. All zero for no rows.
struct Score {
  std::int64_t rows = 0;
  double median = 0.0;
  double p90 = 0.0;
  double worst = 1.0;  // a factor, either way
  double bias = 0.0;   // geometric mean of predicted / measured, less 1
  bool operator==(const Score&) const = default;
};

Score score(std::span<const double> predicted, std::span<const double> measured);

/// Linear interpolation between order statistics; 0 for no values.
double quantile(std::vector<double> values, double share);

nlohmann::json to_json(const Score& score);

}  // namespace fathom::calib
