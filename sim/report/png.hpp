#pragma once

#include <string>
#include <string_view>

namespace fathom::report {

/// A standalone SVG picture (render_svg) as the bytes of a PNG file, `scale` pixels for each of its
/// units, by librsvg in the module fathom_png.so beside the program. InputError when that is
/// missing.
std::string render_png(std::string_view svg, double scale);

}  // namespace fathom::report
