#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calib/measurement.hpp"
#include "forms/form.hpp"

namespace fathom::calib {

/// A row and the device it was measured on.
struct Sample {
  const Measurement* row = nullptr;
  const forms::DeviceFigures* device = nullptr;
};

struct FitOptions {
  std::int64_t max_rows = 1500;  // a seeded sample of more
  std::uint64_t seed = 1;
  double loss_scale = 0.08;
  /// Residual ridge · sqrt(rows) · ln(parameter / start): at 1500 rows a factor e costs about as
  /// much as a 1 % error on every row, so what the data do not move stays where it started.
  double ridge = 0.03;
  int max_iterations = 60;
  /// Where the search begins; empty: at the start values. The ridge pulls to those in any case.
  std::vector<double> begin = {};
};

/// Parameters of one sub-fit, in the order of Form::ranges.
struct Fit {
  std::string group;
  std::vector<double> values;
  std::int64_t rows = 0;  // rows that took part
  double cost = 0.0;
  bool operator==(const Fit&) const = default;
};

/// Least squares of ln(predicted / measured) under soft-L1, in the logarithm of the parameters.
Fit fit(const forms::Form& form, std::string_view group, std::span<const Sample> samples,
        const FitOptions& options = {});

/// Seconds of the fitted form for a row, on any device.
double predict(const forms::Form& form, const Fit& fit, const Measurement& row,
               const forms::DeviceFigures& device);

/// At most `count` of n indices, ascending, drawn with `seed`; all of them if n is small enough.
std::vector<std::size_t> sample_indices(std::size_t n, std::size_t count, std::uint64_t seed);

}  // namespace fathom::calib
