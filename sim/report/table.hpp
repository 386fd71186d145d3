#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fathom::report {

enum class Align : std::uint8_t { left, right };

/// How people read a number. The first three keep the unit in the header, the rest in the cell.
enum class NumberFormat : std::uint8_t {
  significant,   ///< three digits: 41.8
  count,         ///< 671,026,419,200
  exact,         ///< all digits: 4096
  percent,       ///< a fraction: 0.123 reads 12.3 %
  si,            ///< 3.35 TB/s, the column's unit being B/s
  seconds,       ///< 12.4 ms, the column's unit being s
  bytes_binary,  ///< 62.5 GiB, the column's unit being B
};

struct Column {
  std::string header;
  std::string unit;  ///< of the stored number: "ms", "GiB", "tokens/s"
  Align align = Align::right;
  NumberFormat format = NumberFormat::significant;
  /// For machines, where the header does not make it: "tokens_per_s_per_user".
  std::string key = {};
  bool operator==(const Column&) const = default;
};

enum class Mark : std::uint8_t { none, best, bound };

/// Text, or a number in full precision. Renderers round for people unless `shown` says what to
/// print; CSV and JSON always carry the number itself.
struct Cell {
  std::variant<std::string, double> value;
  Mark mark = Mark::none;
  std::string shown;

  Cell() = default;
  Cell(std::string text, Mark marked = Mark::none) : value(std::move(text)), mark(marked) {}
  Cell(std::string_view text, Mark marked = Mark::none) : Cell(std::string(text), marked) {}
  Cell(const char* text, Mark marked = Mark::none) : Cell(std::string(text), marked) {}
  template <class T>
  requires std::integral<T> || std::floating_point<T> Cell(T number, Mark marked = Mark::none)
      : value(static_cast<double>(number)), mark(marked) {}
  bool operator==(const Cell&) const = default;
};

/// Every row has one cell per column. A left-aligned first column names its row.
struct Table {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  std::vector<std::string> anchors;  ///< none, or one working (report/workings.hpp) per row
  bool operator==(const Table&) const = default;
};

/// A left-aligned column of text.
Column text_column(std::string header);
/// A right-aligned column of numbers.
Column number_column(std::string header, std::string unit = "",
                     NumberFormat format = NumberFormat::significant);

/// BugError if a row is not as wide as the header.
void check(const Table& table);

const double* number(const Cell& cell);                          ///< null for text
std::string shown_text(const Cell& cell, const Column& column);  ///< rounded for people
std::string exact_text(const Cell& cell);                        ///< reads back the same number
bool unit_in_header(const Column& column);
bool has_mark(const Table& table, Mark mark);
/// One machine key per column, unique in the table: "KV cache", "GB/s" is `kv_cache_gb_s`.
std::vector<std::string> column_keys(const Table& table);

}  // namespace fathom::report
