#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/table.hpp"

namespace fathom::report {

enum class Better : std::uint8_t { neither, high, low };

/// A property of every point. A text is kept as an index into `texts`; NaN: no value.
struct PointColumn {
  std::string name;    ///< as the data name it: "/plan/tp"
  std::string header;  ///< as people read it: "tp"
  NumberFormat format = NumberFormat::significant;
  bool input = false;  ///< chosen by whoever asked, rather than computed
  Better better = Better::neither;
  std::vector<std::string> texts;
  std::vector<double> values;
  bool operator==(const PointColumn&) const = default;
};

/// Tens of thousands of points with many properties, to be explored in a page: parallel
/// coordinates, scatter, heat map and filters. Other formats leave it out, since tables show the
/// best of them.
struct PointSet {
  std::string note;                   ///< which points these are, and of how many
  std::vector<std::int64_t> numbers;  ///< ascending
  std::vector<PointColumn> columns;
  std::vector<std::size_t> front;  ///< indices of points that nothing beats, ascending
  bool operator==(const PointSet&) const = default;
};

/// BugError if columns differ in length, a text's index has no text, or numbers do not ascend.
void check(const PointSet& points);

/// The points as JSON for assets/explorer.js: a column of few distinct values as indices into a
/// table of them, another as 32-bit floats; bytes little-endian in base64. Columns are taken in
/// order until `budget` characters are spent; `left_out` names the others.
std::string points_json(const PointSet& points, std::size_t budget);

}  // namespace fathom::report
