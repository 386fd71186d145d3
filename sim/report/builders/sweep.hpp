#pragma once

#include "report/document.hpp"
#include "sweep/row_sample.hpp"
#include "sweep/summary.hpp"

namespace fathom::report {

/// What `fathom sweep` and `fathom report FILE.db` say: how many points ran and why others did not,
/// the best of each objective, and the front that no point beats.
struct SweepPage {
  std::string name;
  std::string database;     // as the user named it
  std::int64_t points = 0;  // of the whole sweep, excluded ones included
  std::int64_t begin = 0;   // the part that the database is for: [begin, end) …
  std::int64_t end = 0;
  std::int64_t next = 0;  // … of which everything before `next` is stored
  sweep::Summary summary;
  sweep::RowSample sample;  // to explore; none: the document has no explorer
  bool labels = false;      // columns in words, their names on hover; else by name, as specs do
};
Document sweep_document(const SweepPage& page);

/// The sampled rows and the whole front, with the columns that differ: inputs, then objectives,
/// then the other results.
PointSet sweep_points(const SweepPage& page);

/// How a column of a sweep reads: its number format from its name, the last part of a pointer where
/// no other input ends so, and words for it: "TPOT", "sequences per gpu".
NumberFormat format_of(const sweep::Column& column);
std::string header_of(const sweep::Layout& layout, const std::string& name);
std::string label_of(const sweep::Layout& layout, const std::string& name);

}  // namespace fathom::report
