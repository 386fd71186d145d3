#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/document.hpp"

namespace fathom::report {

/// 0.1234 reads "12.3 %"; what rounds to nothing reads "<0.1 %" instead of a row of zeros.
std::string share_text(double fraction);
/// The same as a table cell that keeps the number.
Cell share_cell(double fraction, Mark mark = Mark::none);

/// "what: citation" rows under one closed heading.
struct SourceRows {
  std::vector<std::vector<Cell>> rows;
  void add(std::string_view what, const std::vector<std::string>& sources);
};
Details sources_block(SourceRows sources);

}  // namespace fathom::report
