#pragma once

namespace fathom::report {

/// Columns that a terminal spends on a character: 2 for what Unicode's Standard Annex #11 (East
/// Asian Width, of Unicode 14.0) calls wide or fullwidth, 0 for combining marks and joiners,
/// else 1. Ambiguous characters (… × “ ”) count 1, as outside of legacy East Asian encodings.
int character_width(char32_t character);

}  // namespace fathom::report
