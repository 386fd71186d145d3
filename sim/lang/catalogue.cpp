#include "lang/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "lang/areas.hpp"

namespace fathom::lang {
namespace {

std::vector<Entry> read_catalogue() {
  std::vector<Entry> entries;
  for (const Area& area : chinese_areas()) {
    const nlohmann::json texts = nlohmann::json::parse(area.text);
    for (const auto& [english, chinese] : texts.items()) {
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

std::string_view chinese(std::string_view english) {
  const std::span<const Entry> entries = catalogue();
  const auto found = std::ranges::lower_bound(entries, english, {}, &Entry::english);
  return found != entries.end() && found->english == english ? std::string_view(found->chinese)
                                                             : english;
}

}  // namespace

void speak(Language language) {
  speak(language, language == Language::chinese ? chinese : nullptr);
}

std::span<const Entry> catalogue() {
  static const std::vector<Entry> entries = read_catalogue();
  return entries;
}

}  // namespace fathom::lang
