#pragma once

#include <string_view>

namespace fathom {

/// Throws InputError unless `text` is exactly one JSON value (RFC 8259) in UTF-8, nested at most
/// kMaxJsonDepth deep, without duplicate keys and without numbers beyond the range of a double.
/// Messages say line and column in the user's words: "scenario.json: line 3, column 7: expected
/// ',' or '}', found 'x'".
void check_json_syntax(std::string_view text, std::string_view shown);

}  // namespace fathom
