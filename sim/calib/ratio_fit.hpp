#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "calib/measurement.hpp"
#include "calib/score.hpp"

namespace fathom::calib {

/// What an efficiency file keeps of ln(measured / form): kernels around measured shapes
/// (hw/ratio_table.hpp), so that a form times them meets its measurements.
struct RatioFit {
  std::vector<double> scales;               // by column of the form
  std::vector<std::vector<double>> shapes;  // measured ones, spread over all of them
  std::vector<double> weights;              // of the kernel around each
  Score left_out;                           // of those shapes, their slices left out in turn
};

/// At most `most` shapes, those farthest from each other; scales and noise by what predicts whole
/// slices best from the others. Rows of one shape count as one, by their mean.
RatioFit fit_ratios(std::span<const Measurement* const> rows, std::span<const double> log_ratios,
                    std::size_t most);

}  // namespace fathom::calib
