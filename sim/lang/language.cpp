#include "lang/language.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "lang/areas.hpp"

namespace fathom::lang {
namespace {

Language &language_of_process() {
  static Language language = Language::english;
  return language;
}

std::vector<Entry> read_catalogue() {
  std::vector<Entry> entries;
  for (const Area &area : chinese_areas()) {
    const nlohmann::json texts = nlohmann::json::parse(area.text);
    for (const auto &[english, chinese] : texts.items()) {
      entries.push_back({english, chinese.get<std::string>(), area.file});
    }
  }
  std::ranges::sort(entries, {}, &Entry::english);
  const auto twice = std::ranges::adjacent_find(entries, {}, &Entry::english);
  if (twice != entries.end()) {
    throw std::logic_error(fmt::format("{} and {}: both have '{}'", twice->file,
                                       std::next(twice)->file, twice->english));
  }
  return entries;
}

} // namespace

std::string_view name(Language language) {
  return language == Language::chinese ? "zh" : "en";
}

std::string_view tag(Language language) {
  return language == Language::chinese ? "zh-CN" : "en";
}

std::optional<Language> language_named(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of("-_."));
  if (word == "en")
    return Language::english;
  if (word == "zh")
    return Language::chinese;
  return std::nullopt;
}

Language spoken() { return language_of_process(); }

void speak(Language language) { language_of_process() = language; }

std::string_view tr(std::string_view english) {
  if (spoken() == Language::english)
    return english;
  const std::span<const Entry> entries = catalogue();
  const auto found =
      std::ranges::lower_bound(entries, english, {}, &Entry::english);
  return found != entries.end() && found->english == english
             ? std::string_view(found->chinese)
             : english;
}

std::string_view meant(std::string_view english_and_meaning) {
  const std::string_view found = tr(english_and_meaning);
  return found == english_and_meaning ? found.substr(0, found.rfind(" (")) : found;
}

std::span<const Entry> catalogue() {
  static const std::vector<Entry> entries = read_catalogue();
  return entries;
}

} // namespace fathom::lang
