#pragma once

#include "report/document.hpp"
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
};
Document sweep_document(const SweepPage& page);

}  // namespace fathom::report
