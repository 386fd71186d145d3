#pragma once

#include <string>
#include <vector>

#include "report/plot.hpp"
#include "report/plot_labels.hpp"
#include "report/plot_scale.hpp"

namespace fathom::report {

inline constexpr double kFontSize = 12;
inline constexpr double kLabelSize = 11;

/// Where everything on a plot goes, in pixels from the top left.
struct Frame {
  Scale x;
  Scale y;
  Box area;  ///< what the axes enclose
  double width = 0;
  double height = 0;
  std::vector<std::string> title_lines;  ///< only of a standalone plot
  double legend_top = 0;
  std::vector<std::vector<std::size_t>> legend_rows;  ///< indices of series
  std::vector<Tick> x_ticks;
  std::vector<Tick> y_ticks;
  bool rotate_categories = false;
};
Frame lay_out(const Plot& plot, double width, bool with_title);

/// The value each bar or area of a stacked plot stands on, per series and point; else zeros.
std::vector<std::vector<double>> stack_bases(const Plot& plot);

std::string legend_name(const Series& series);  ///< as long as there is room for
double legend_entry_width(const Series& series);
std::string pixels(double value);  ///< at most one decimal, never "-0"
bool has_bars(const Plot& plot);

}  // namespace fathom::report
