#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lang/language.hpp"

/// The texts of zh/*.json, embedded when the library is built. A program that never speaks another
/// language, such as the calculator of pages, does not include this and carries none of them.
namespace fathom::lang {

/// Sets the language of this process. Like a locale it is set before threads start.
void speak(Language language);

struct Entry {
  std::string english;
  std::string chinese;
  std::string_view file;  ///< "zh/help.json"
};

/// All entries, ascending by their English text. BugError-like std::logic_error when a file of the
/// catalogue is no object of texts or two entries share their English.
std::span<const Entry> catalogue();

}  // namespace fathom::lang
