#pragma once

#include <iosfwd>

#include "sweep/database.hpp"

namespace fathom::sweep {

/// Every row of view `rows`, in number order, as RFC 4180: a header of column names, CRLF line
/// ends, the shortest numbers that read back the same, an empty field for what does not apply,
/// feasible as 1 or 0. A text that a spreadsheet would take for a formula (= + - @ tab or CR first)
/// gets a "'" in front; everything else is as stored. InputError if the stream fails.
void export_csv(Reader& reader, std::ostream& out);

/// The same rows as one JSON object a line: null for what does not apply, "inf" and "-inf" (JSON
/// has no such numbers) in quotes.
void export_jsonl(Reader& reader, std::ostream& out);

}  // namespace fathom::sweep
