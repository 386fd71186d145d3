#pragma once

#include <string>

namespace fathom::report {

/// The style of plots for a file of its own: colours of the light set written out, no variables and
/// no media queries, since what papers are set with (librsvg, Inkscape, TeX) knows neither.
std::string standalone_style();

}  // namespace fathom::report
