#pragma once

#include <string>

#include "report/document.hpp"

namespace fathom::report {

struct TerminalOptions {
  bool colour = false;
  int width = 100;  ///< where prose wraps; tables take the width they need
};

/// Fixed-width text. Plots appear as their data.
std::string render_terminal(const Document& document, const TerminalOptions& options = {});
std::string render_terminal(const Table& table, const TerminalOptions& options = {});

}  // namespace fathom::report
