#include "report/builders/cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::report {
namespace {

using lang::say;

constexpr double kLeastShown = 1e-3;
constexpr double kEqual = 1e-9;  // relative: a figure this near the best is the best too

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

Cell missing_cell() {
  Cell cell{""};
  cell.shown = "–";
  return cell;
}

void mark_extreme(Table& table, std::size_t column, bool least) {
  const auto numbers = std::ranges::count_if(
      table.rows, [column](const auto& row) { return number(row[column]) != nullptr; });
  if (numbers < 2) return;
  const double none = std::numeric_limits<double>::infinity();
  double best = least ? none : -none;
  const auto better = [&](double v) { return least ? v < best : v > best; };
  for (const auto& row : table.rows) {
    if (const double* value = number(row[column]); value != nullptr && better(*value))
      best = *value;
  }
  for (auto& row : table.rows) {
    const double* value = number(row[column]);
    if (value == nullptr) continue;
    if (std::abs(*value - best) <= kEqual * std::abs(best)) row[column].mark = Mark::best;
  }
}

std::string context_text(std::int64_t tokens) {
  constexpr std::int64_t kKi = 1024;
  if (tokens % (kKi * kKi) == 0) return fmt::format("{} Mi", tokens / (kKi * kKi));
  if (tokens % kKi == 0) return fmt::format("{} Ki", tokens / kKi);
  return format_count(tokens);
}

std::string ratio_text(double ratio) { return say("{}x", format_significant(ratio)); }

void SourceRows::add(std::string_view what, const std::vector<std::string>& sources) {
  for (const std::string& source : sources) rows.push_back({what, source});
}

Details sources_block(SourceRows sources) {
  Table table{
      .title = "Sources",
      .columns = {text_column(std::string(lang::meant("of (a source)"))), text_column("source")}};
  table.rows = std::move(sources.rows);
  Details details{.summary = say("{} sources", table.rows.size())};
  details.blocks.emplace_back(std::move(table));
  return details;
}

void add_basis(std::vector<Block>& blocks, const study::Basis& basis, int level) {
  blocks.push_back(Heading{.level = level, .text = "Assumptions and sources"});
  for (const std::string& note : basis.notes) blocks.push_back(Note{NoteKind::assumption, note});
  Details sources{.summary = say("{} sources", basis.sources.size())};
  for (const std::string& source : basis.sources) {
    sources.blocks.push_back(Note{NoteKind::source, source});
  }
  blocks.push_back(std::move(sources));
}

std::vector<Input> inputs_of(const study::Basis& basis) {
  std::vector<Input> inputs;
  for (const study::Basis::Input& input : basis.inputs) inputs.push_back({input.name, input.hash});
  return inputs;
}

}  // namespace fathom::report
