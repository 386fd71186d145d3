#pragma once

#include <functional>
#include <string>

#include "report/document.hpp"

namespace fathom::report {

struct MarkdownOptions {
  /// The path to write into the text for a plot's picture, given the plot and its number from 1.
  /// Absent: a plot is its title and its data.
  std::function<std::string(const Plot&, int)> plot_path;
};

/// GitHub-flavoured Markdown: numbers right-aligned, the winner bold, what binds in italics.
std::string render_markdown(const Document& document, const MarkdownOptions& options = {});

}  // namespace fathom::report
