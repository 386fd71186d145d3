#pragma once

#include "report/document.hpp"

namespace fathom::cli {

/// Whether standard output is a terminal that shows colour: not when it is piped, not with NO_COLOR
/// (no-color.org) or TERM=dumb.
bool colour_terminal();

/// Columns of the terminal at standard output; $COLUMNS when it does not say, 100 without either,
/// and 0 when standard output is no terminal: what is piped does not depend on a window.
int terminal_width();

/// The document with every table that is wider than `width` cut into several: each repeats the
/// column that names its rows and takes as many others as fit. Nothing is left out.
report::Document fit_tables(report::Document document, int width);

}  // namespace fathom::cli
