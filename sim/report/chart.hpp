#pragma once

#include <string>
#include <string_view>

#include "report/plot.hpp"

namespace fathom::report {

/// The version of the charting library that pages embed; empty when it was missing at build time
/// and figures are static.
std::string_view chart_library_version();

/// A plot that assets/charts.js draws into a canvas: its legend as buttons, its data as JSON with
/// the scales and ticks of the static figure, which stays beside it for paper and without script.
std::string chart_html(const Plot& plot);

}  // namespace fathom::report
