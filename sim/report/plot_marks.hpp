#pragma once

#include <string>

#include "report/plot.hpp"
#include "report/plot_frame.hpp"

namespace fathom::report {

/// Class names "s1" … "s8" select a colour; series beyond the palette repeat it, dashed.
std::string series_class(std::size_t index);

/// The sample of a series in the legend, 20 pixels wide, centred on y.
std::string legend_sample(const Series& series, std::size_t index, double x, double y);

/// Areas, bars, lines and points, in that order, each point with its hover title.
std::string draw_series(const Plot& plot, const Frame& frame);

/// Tells the placer which pixels the data cover.
void block_data(const Plot& plot, const Frame& frame, LabelPlacer& placer);

/// Labels of points, as many as fit; `missed` counts the others.
std::string draw_labels(const Plot& plot, const Frame& frame, LabelPlacer& placer, int& missed);

}  // namespace fathom::report
