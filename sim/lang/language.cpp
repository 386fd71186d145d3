#include "lang/language.hpp"

namespace fathom::lang {
namespace {

struct Spoken {
  Language language = Language::english;
  Lookup lookup = nullptr;
};

Spoken& of_process() {
  static Spoken spoken;
  return spoken;
}

}  // namespace

std::string_view name(Language language) { return language == Language::chinese ? "zh" : "en"; }

std::string_view tag(Language language) { return language == Language::chinese ? "zh-CN" : "en"; }

std::optional<Language> language_named(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of("-_."));
  if (word == "en") return Language::english;
  if (word == "zh") return Language::chinese;
  return std::nullopt;
}

Language spoken() { return of_process().language; }

void speak(Language language, Lookup lookup) { of_process() = {language, lookup}; }

std::string_view tr(std::string_view english) {
  const Lookup lookup = of_process().lookup;
  return lookup == nullptr ? english : lookup(english);
}

std::string_view meant(std::string_view english_and_meaning) {
  const std::string_view found = tr(english_and_meaning);
  return found == english_and_meaning ? found.substr(0, found.rfind(" (")) : found;
}

}  // namespace fathom::lang
