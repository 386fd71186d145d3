#pragma once

#include <string>
#include <vector>

#include "report/lane_plot.hpp"

namespace fathom::report {

/// How far off one fit is, as shares: half of its errors are below the median, nine in ten below
/// p90.
struct ErrorRow {
  std::string name;
  double median = 0.0;
  double p90 = 0.0;
};

/// A lane per fit from 0 to its p90, with its median; largest p90 first, so many that they can be
/// read. `lane_label`: what a row is.
LanePlot error_bars(std::string title, std::string lane_label, std::vector<ErrorRow> rows);

}  // namespace fathom::report
