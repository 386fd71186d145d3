#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::sweep {

/// What a column of a sweep holds. A text is kept as an index into the column's `texts`.
enum class ColumnKind : std::uint8_t { real, integer, text };

struct Column {
  std::string name;  // a JSON pointer ("/plan/tp") or a result with its unit ("tpot_s")
  ColumnKind kind = ColumnKind::real;
  std::vector<std::string> texts;  // every text the column can hold; empty unless kind is text
  bool operator==(const Column&) const = default;
};

/// The columns of a sweep's two tables, in order. Both start with the point's number.
struct Layout {
  std::vector<Column> inputs;   // table `points`: the base scenario's name, then what is varied
  std::vector<Column> results;  // table `results`, before `reason`
  bool operator==(const Layout&) const = default;
};

/// The rows of a run of point numbers. A number that a constraint excludes has no row; a point that
/// cannot run has one with a reason and without results.
struct Block {
  std::int64_t begin = 0;  // numbers covered: [begin, end)
  std::int64_t end = 0;
  std::vector<std::int64_t> numbers;  // of the rows, ascending
  std::vector<double> inputs;         // [rows][layout.inputs]; NaN: the column does not apply
  std::vector<double> results;        // [rows][layout.results]; NaN: no value
  std::vector<std::int32_t> reason;   // [rows]; -1: feasible, else an index into `reasons`
  std::vector<std::string> reasons;
  bool operator==(const Block&) const = default;

  std::size_t rows() const { return numbers.size(); }
  void clear();
};

}  // namespace fathom::sweep
