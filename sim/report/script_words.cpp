#include "report/script_words.hpp"

#include <nlohmann/json.hpp>

#include "lang/language.hpp"
#include "report/escape.hpp"

namespace fathom::report {
namespace {

using nlohmann::json;

// The end of a JavaScript literal that begins behind its opening quotation mark.
std::size_t end_of_literal(std::string_view script, std::size_t at) {
  while (at < script.size() && script[at] != '"') at += script[at] == '\\' ? 2 : 1;
  return at;
}

}  // namespace

std::vector<std::string> said_in(std::string_view script) {
  constexpr std::string_view kCall = "say(\"";
  std::vector<std::string> texts;
  for (std::size_t at = script.find(kCall); at != std::string_view::npos;
       at = script.find(kCall, at)) {
    const std::size_t open = at + kCall.size() - 1;
    const std::size_t close = end_of_literal(script, open + 1);
    // Between double quotation marks the assets use the escapes that JSON has too.
    const json literal = json::parse(script.substr(open, close + 1 - open), nullptr, false);
    if (literal.is_string()) texts.push_back(literal.get<std::string>());
    at = close;
  }
  return texts;
}

std::string script_words(std::span<const std::string_view> scripts) {
  json words = json::object();
  for (const std::string_view script : scripts) {
    for (const std::string& text : said_in(script)) {
      const std::string_view spoken = lang::tr(text);
      if (spoken != text) words[text] = spoken;
    }
  }
  if (words.empty()) return {};
  return "window.fathomWords = " + escape_script(words.dump()) + ";\n";
}

}  // namespace fathom::report
