#include "lang/say.hpp"

namespace fathom::lang {
namespace {

// Ideographs and full-width marks, U+3000 to U+9FFF and U+FF00 on: three bytes of UTF-8 each.
bool is_wide(std::string_view text, std::size_t at) {
  if (at + 3 > text.size()) return false;
  const auto lead = static_cast<unsigned char>(text[at]);
  const auto next = static_cast<unsigned char>(text[at + 1]);
  return (lead >= 0xE3 && lead <= 0xE9) || (lead == 0xEF && next >= 0xBC);
}

// A mark brings its own space: U+3001 and U+3002, and what is full-width for an ASCII mark.
bool is_mark(std::string_view text, std::size_t at) {
  const std::string_view lead = text.substr(at, 2);
  return is_wide(text, at) && (lead == "\xE3\x80" || lead == "\xEF\xBC");
}

}  // namespace

std::string tightened(std::string text) {
  if (spoken() != Language::chinese) return text;
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' && i >= 3) {
      const bool between = is_wide(text, i - 3) && is_wide(text, i + 1);
      if (between || is_mark(text, i - 3) || is_mark(text, i + 1)) continue;
    }
    out += text[i];
  }
  return out;
}

std::string listed(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out = out.empty() ? text : say("{}, {}", out, text);
  return out;
}

std::string clauses(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out = out.empty() ? text : say("{}; {}", out, text);
  return out;
}

}  // namespace fathom::lang
