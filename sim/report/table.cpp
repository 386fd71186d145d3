#include "report/table.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/si_format.hpp"
#include "core/units.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

// format_count takes an integer; beyond 2^53 a double no longer holds every count anyway.
constexpr double kLargestCount = 9007199254740992.0;

std::string format_number(double value, const Column& column) {
  if (!std::isfinite(value)) return std::isnan(value) ? "–" : value > 0 ? "∞" : "−∞";
  switch (column.format) {
    case NumberFormat::significant:
      return format_significant(value);
    case NumberFormat::count:
      if (std::abs(value) > kLargestCount) return format_significant(value);
      return format_count(std::llround(value));
    case NumberFormat::exact:
      return exact_number(value);
    case NumberFormat::percent:
      return format_percent(value);
    case NumberFormat::si:
      return format_si(value, column.unit.c_str());
    case NumberFormat::seconds:
      return format_seconds(Seconds{value});
    case NumberFormat::bytes_binary:
      return format_bytes_binary(Bytes{value});
  }
  return exact_number(value);
}

// How a key spells the unit. A percent column stores a fraction, so it names none.
std::string column_unit_word(const Column& column) {
  if (column.format == NumberFormat::percent) return "";
  return column.unit == "%" ? "percent" : column.unit;
}

}  // namespace

Column text_column(std::string header) {
  return {.header = std::move(header), .align = Align::left};
}

Column number_column(std::string header, std::string unit, NumberFormat format) {
  return {.header = std::move(header),
          .unit = std::move(unit),
          .align = Align::right,
          .format = format};
}

void check(const Table& table) {
  FATHOM_EXPECT(table.anchors.empty() || table.anchors.size() == table.rows.size(),
                "a table has no workings or one per row");
  for (const auto& row : table.rows) {
    FATHOM_EXPECT(row.size() == table.columns.size(), "a table row has one cell per column");
  }
}

const double* number(const Cell& cell) { return std::get_if<double>(&cell.value); }

std::string shown_text(const Cell& cell, const Column& column) {
  if (!cell.shown.empty()) return cell.shown;
  if (const double* value = number(cell)) return format_number(*value, column);
  return std::get<std::string>(cell.value);
}

std::string exact_text(const Cell& cell) {
  if (const double* value = number(cell)) return exact_number(*value);
  return std::get<std::string>(cell.value);
}

bool unit_in_header(const Column& column) {
  return !column.unit.empty() && column.format <= NumberFormat::exact;
}

bool has_mark(const Table& table, Mark mark) {
  return std::ranges::any_of(table.rows, [mark](const std::vector<Cell>& row) {
    return std::ranges::any_of(row, [mark](const Cell& cell) { return cell.mark == mark; });
  });
}

std::vector<std::string> column_keys(const Table& table) {
  std::vector<std::string> keys;
  std::map<std::string, int> seen;
  for (const Column& column : table.columns) {
    std::string key = column.key.empty() ? slug(column.header + " " + column_unit_word(column), '_')
                                         : slug(column.key, '_');
    if (key.empty()) key = "column";
    const int times = ++seen[key];
    keys.push_back(times == 1 ? key : key + "_" + std::to_string(times));
  }
  return keys;
}

}  // namespace fathom::report
