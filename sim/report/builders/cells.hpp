#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/document.hpp"
#include "study/basis.hpp"

namespace fathom::report {

/// 0.1234 reads "12.3 %"; what rounds to nothing reads "<0.1 %" instead of a row of zeros.
std::string share_text(double fraction);
/// The same as a table cell that keeps the number.
Cell share_cell(double fraction, Mark mark = Mark::none);

/// "–", where there is nothing to say.
Cell missing_cell();
/// Marks the least or the largest number of a column as the best; one number alone has no rival.
void mark_extreme(Table& table, std::size_t column, bool least);
/// "4 Ki", "1 Mi", "5,000".
std::string context_text(std::int64_t tokens);
std::string ratio_text(double ratio);  ///< "56.9x"

/// "what: citation" rows under one closed heading.
struct SourceRows {
  std::vector<std::vector<Cell>> rows;
  void add(std::string_view what, const std::vector<std::string>& sources);
};
Details sources_block(SourceRows sources);

/// "Assumptions and sources": the end of a report.
void add_basis(std::vector<Block>& blocks, const study::Basis& basis, int level = 2);
/// Files of a basis, for the metadata of a document.
std::vector<Input> inputs_of(const study::Basis& basis);

}  // namespace fathom::report
