#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom::report {

/// Valid UTF-8 without control characters except newline and tab; what is not becomes U+FFFD.
/// XML forbids them, and a terminal would obey an escape sequence hidden in a model's name.
std::string clean(std::string_view text);
std::string one_line(std::string_view text);  ///< clean, and newlines and tabs become spaces

/// A piece of text outside or inside backticks. A backtick without a partner is text.
struct Span {
  std::string_view text;
  bool code = false;
};
std::vector<Span> spans(std::string_view text);
std::string without_backticks(std::string_view text);  ///< for places that cannot show code

/// Columns a fixed-width terminal spends: 0 for combining marks, 2 for wide characters.
int display_width(std::string_view text);
int wide_characters(std::string_view text);  ///< how many of them spend 2

/// Greedy lines of at most `width` columns; a longer word keeps its own line. Chinese breaks
/// between any two characters, but never before closing punctuation or after opening punctuation.
std::vector<std::string> wrap(std::string_view text, int width);

/// Lower-case ASCII letters and digits; every other run is one `separator`:
/// "KV cache, GB/s" becomes kv-cache-gb-s.
std::string slug(std::string_view text, char separator);

/// Shortest digits that read back the same double; "inf", "-inf" and "nan" for the rest.
std::string exact_number(double value);

}  // namespace fathom::report
