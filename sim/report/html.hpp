#pragma once

#include <string>

#include "report/document.hpp"

namespace fathom::report {

/// One page that holds everything it needs: works from a file, offline, without script (which only
/// adds sorting), in light and dark, on a phone and on paper.
std::string render_html(const Document& document);

}  // namespace fathom::report
