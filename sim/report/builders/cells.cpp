#include "report/builders/cells.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <vector>

#include "core/si_format.hpp"

namespace fathom::report {
namespace {

constexpr double kLeastShown = 1e-3;

}  // namespace

std::string share_text(double fraction) {
  // Differences of long sums leave rounding noise where the answer is nothing.
  if (fraction < 1e-9) return "0 %";
  return fraction < kLeastShown ? "<0.1 %" : format_percent(fraction);
}

Cell share_cell(double fraction, Mark mark) {
  Cell cell{fraction, mark};
  cell.shown = share_text(fraction);
  return cell;
}

void SourceRows::add(std::string_view what, const std::vector<std::string>& sources) {
  for (const std::string& source : sources) rows.push_back({what, source});
}

Details sources_block(SourceRows sources) {
  Table table{.title = "Sources", .columns = {text_column("of"), text_column("source")}};
  table.rows = std::move(sources.rows);
  Details details{.summary = fmt::format("{} sources", table.rows.size())};
  details.blocks.emplace_back(std::move(table));
  return details;
}

}  // namespace fathom::report
