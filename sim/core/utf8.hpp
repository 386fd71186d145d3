#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom {

/// Length in bytes (1 to 4) of the well-formed UTF-8 character at the start of `text`, or 0.
std::size_t utf8_length(std::string_view text);

/// Byte offset of the first ill-formed UTF-8 sequence, or npos when there is none.
std::size_t first_invalid_utf8(std::string_view text);

/// Text from a file as it may appear in a one-line message: control characters and stray bytes
/// become \xNN, and whatever is longer than `max_chars` ends in an ellipsis.
std::string printable(std::string_view text, std::size_t max_chars = 60);

}  // namespace fathom
