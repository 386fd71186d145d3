#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// What readers read, in their language. English is written in the sources and is the key of the
/// catalogue (zh/*.json). A whole text is looked up where it is shown, by tr(); a sentence with
/// figures in it is filled by say() (say.hpp), which looks up its template. Identifiers, JSON, CSV
/// and databases are data and know no language.
namespace fathom::lang {

enum class Language : std::uint8_t { english, chinese };

std::string_view name(Language language);  ///< "en", "zh"
std::string_view tag(Language language);   ///< as HTML and BCP 47 have it: "en", "zh-CN"

/// "en" or "zh", also with a region or a coding behind it ("zh_CN.UTF-8"); else nothing.
std::optional<Language> language_named(std::string_view text);

/// The language of this process, English until lang::speak() (catalogue.hpp) sets another.
Language spoken();

/// The catalogue's text for `english` in the language spoken; `english` itself in English and where
/// the catalogue has none. The view lives as long as the process, or as `english`.
std::string_view tr(std::string_view english);
/// A word with more than one meaning, which the catalogue has with it: "pass (of a model)" is
/// "pass" in English.
std::string_view meant(std::string_view english_and_meaning);

/// What a language has for an English text; itself where it has nothing.
using Lookup = std::string_view (*)(std::string_view english);
void speak(Language language, Lookup lookup);

}  // namespace fathom::lang
