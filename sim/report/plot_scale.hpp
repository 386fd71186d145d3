#pragma once

#include <string>
#include <vector>

#include "report/plot.hpp"

namespace fathom::report {

/// A data interval laid over a pixel interval. `pixel_lo` may exceed `pixel_hi`, as on a y axis.
struct Scale {
  AxisScale kind = AxisScale::linear;
  double lo = 0;
  double hi = 1;
  double pixel_lo = 0;
  double pixel_hi = 1;
};

double position(const Scale& scale, double value);
bool can_show(AxisScale kind, double value);  ///< finite, and positive on a log axis

struct Tick {
  double value = 0;
  std::string label;  ///< empty: a minor grid line
};
/// About `target` labelled ticks at 1-2-5 steps, at powers of ten or at powers of two.
std::vector<Tick> ticks(const Scale& scale, int target);

/// The interval an axis shows of `values`: its own limits, else the data with a little air.
/// `from_zero`: the marks are lengths (bars, areas), so a linear axis must contain 0.
Scale fit_scale(const Axis& axis, const std::vector<double>& values, bool from_zero, double air);

}  // namespace fathom::report
