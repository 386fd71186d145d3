#pragma once

#include <string>
#include <string_view>

namespace fathom::report {

std::string escape_html(std::string_view text);  ///< for content and quoted attributes; also XML
std::string html_inline(std::string_view text);  ///< escaped, `code` as an element
std::string escape_markdown(std::string_view text);  ///< one line, keeps `code`
std::string escape_csv(std::string_view field);      ///< RFC 4180 quotes, only where needed
/// A leading =, +, -, @, tab or return gets an apostrophe before it, so that a spreadsheet reads
/// text: OWASP, "CSV injection".
std::string neutralise_formula(std::string text);
/// JSON that a <script> element can hold: no tag, comment or entity.
std::string escape_script(std::string_view json);
std::string percent_encode(std::string_view text);  ///< for a data: URI

}  // namespace fathom::report
