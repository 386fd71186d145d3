#pragma once

#include <string>

#include "report/plot.hpp"

namespace fathom::report {

struct SvgOptions {
  std::string id = "plot";  ///< prefix of the ids inside, unique on a page
  bool standalone = false;  ///< a file of its own: brings its style, background and title
  double width = 720;
};

/// The plot as one SVG element. On a page colours are CSS variables that follow the
/// reader's light or dark preference, in a file of its own they are the light ones; every point
/// carries its numbers as a <title>, shown on hover.
std::string render_svg(const Plot& plot, const SvgOptions& options = {});

/// What a plot shows, in one sentence for whoever cannot see it: axes and names of the series.
std::string description(const Plot& plot);

}  // namespace fathom::report
