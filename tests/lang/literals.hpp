#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::test {

/// A literal that a source hands to say() or tr().
struct Said {
  std::string english;
  bool filled = false;  ///< by say(): a template with fields
  std::string file;
};

/// The literals of C++ text outside of comments; adjacent ones joined, escapes decoded.
std::vector<std::string> literals_in_source(std::string_view text);
/// Those that are the first argument of say() or tr(), however qualified.
std::vector<Said> said_in_source(std::string_view text);
/// The same of JavaScript, between double quotation marks.
std::vector<Said> said_in_script(std::string_view text);

/// The fields of a format string: number of the argument and its form (":.1f").
std::set<std::pair<int, std::string>> fields_of(std::string_view form);

}  // namespace fathom::test
