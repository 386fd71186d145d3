#pragma once

#include <string>
#include <string_view>

#include "report/svg.hpp"

namespace fathom::report {

/// What every picture begins with: the opening tag with its size in pixels, its title and what it
/// shows in words. A file of its own also brings its ground and style, colours of the light set
/// written out, no variables and no media queries, since what papers are set with (librsvg,
/// Inkscape, TeX) knows neither.
std::string svg_head(std::string_view title, std::string_view shown, double width, double height,
                     const SvgOptions& options);

}  // namespace fathom::report
