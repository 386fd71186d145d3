#pragma once

#include <functional>
#include <string>

#include "report/document.hpp"

namespace fathom::report {

struct MarkdownOptions {
  /// The path to write into the text for a figure's picture, given its number from 1. Absent: a
  /// figure is its title and its data.
  std::function<std::string(int)> plot_path;
};

/// GitHub-flavoured Markdown: numbers right-aligned, the winner bold, what binds in italics.
std::string render_markdown(const Document& document, const MarkdownOptions& options = {});

}  // namespace fathom::report
