#pragma once

#include <string>

#include "report/document.hpp"

namespace fathom::report {

/// One page that holds everything it needs: works from a file, offline, in light and dark, on a
/// phone and on paper. Script adds sorting, filtering, the choice of theme and, where Chart.js was
/// found at build time, interactive figures; without it the page shows the same numbers.
std::string render_html(const Document& document);

}  // namespace fathom::report
