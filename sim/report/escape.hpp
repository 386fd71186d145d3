#pragma once

#include <string>
#include <string_view>

namespace fathom::report {

std::string escape_html(std::string_view text);  ///< for content and quoted attributes; also XML
std::string html_inline(std::string_view text);  ///< escaped, `code` as an element
std::string escape_markdown(std::string_view text);  ///< one line, keeps `code`
std::string escape_csv(std::string_view field);      ///< RFC 4180 quotes, only where needed
std::string percent_encode(std::string_view text);   ///< for a data: URI

}  // namespace fathom::report
