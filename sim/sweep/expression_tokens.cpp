#include "sweep/expression_tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace fathom::sweep {
namespace {

constexpr std::size_t kShown = 100;  // columns of a text that fit a terminal beside the indentation
constexpr std::size_t kIndent = 4;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::size_t character_length(std::string_view text) {
  return std::max<std::size_t>(1, utf8_length(text));
}

// One column per character, whatever the bytes: the caret must stay below its place.
std::string shown_character(std::string_view character) {
  if (utf8_length(character) == 0) return "?";
  const auto first = static_cast<unsigned char>(character[0]);
  const bool control =
      character.size() == 1
          ? first < 0x20 || first == 0x7F
          : first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;  // C1 controls
  return control ? " " : std::string(character);
}

struct Shown {
  std::vector<std::string> characters;
  std::size_t caret = 0;
};

Shown shown(std::string_view text, std::size_t offset) {
  Shown out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (i <= offset) out.caret = out.characters.size();
    const auto character = text.substr(i, character_length(text.substr(i)));
    out.characters.push_back(shown_character(character));
    i += character.size();
  }
  if (offset >= text.size()) out.caret = out.characters.size();
  return out;
}

// From a start that leaves the caret in the middle of what is shown.
Shown cut(Shown all) {
  const std::size_t size = all.characters.size();
  if (size <= kShown) return all;
  const std::size_t latest = size - kShown;
  const std::size_t start = std::min(all.caret > kShown / 2 ? all.caret - kShown / 2 : 0, latest);
  Shown out{{all.characters.begin() + static_cast<std::ptrdiff_t>(start),
             all.characters.begin() + static_cast<std::ptrdiff_t>(start + kShown)},
            all.caret - start};
  if (start > 0) out.characters.front() = "…";
  if (start < latest) out.characters.back() = "…";
  return out;
}

Token symbol(std::size_t begin, std::size_t length, std::string_view value) {
  return {TokenKind::symbol, begin, begin + length, std::string(value), 0.0};
}

Token number_token(const ExpressionSource& source, std::size_t begin) {
  const char* const first = source.text.data() + begin;
  const char* const last = source.text.data() + source.text.size();
  Token token{.kind = TokenKind::number, .begin = begin};
  const auto [end, error] = std::from_chars(first, last, token.number);
  token.end = static_cast<std::size_t>(end - source.text.data());
  if (error != std::errc{}) {
    complain(source, begin,
             fmt::format("found {}, expected a number within the range of a double",
                         printable(source.text.substr(begin, token.end - begin), 40)));
  }
  if (end != last && (is_letter(*end) || is_digit(*end) || *end == '.')) {
    complain(source, token.end,
             fmt::format("found '{}' directly after a number, expected an operator; units are not "
                         "read: write 64 * 1024 for 64 Ki",
                         *end));
  }
  return token;
}

// 'text' or "/pointer"; a quote inside is written twice.
Token quoted_token(const ExpressionSource& source, std::size_t begin) {
  const char quote = source.text[begin];
  Token token{.kind = quote == '\'' ? TokenKind::text : TokenKind::pointer, .begin = begin};
  for (std::size_t i = begin + 1; i < source.text.size(); ++i) {
    if (source.text[i] == quote) {
      const bool twice = i + 1 < source.text.size() && source.text[i + 1] == quote;
      token.end = i + 1;
      if (!twice) return token;
      ++i;
    }
    token.value += source.text[i];
  }
  complain(source, begin,
           fmt::format("this {} has no closing {}", quote == '\'' ? "text" : "pointer", quote));
}

Token name_token(const ExpressionSource& source, std::size_t begin) {
  std::size_t end = begin;
  const auto inside = [](char c) { return is_letter(c) || is_digit(c) || c == '.'; };
  while (end < source.text.size() && inside(source.text[end])) ++end;
  const std::string_view name = source.text.substr(begin, end - begin);
  if (name == "and") return symbol(begin, name.size(), "&&");
  if (name == "or") return symbol(begin, name.size(), "||");
  if (name == "not") return symbol(begin, name.size(), "!");
  return {TokenKind::name, begin, end, std::string(name), 0.0};
}

Token symbol_token(const ExpressionSource& source, std::size_t begin) {
  static constexpr std::array<std::string_view, 6> kPairs{"<=", ">=", "==", "!=", "&&", "||"};
  static constexpr std::string_view kSingles = "+-*/%^()<>!?:,";
  const std::string_view rest = source.text.substr(begin);
  for (const std::string_view pair : kPairs) {
    if (rest.starts_with(pair)) return symbol(begin, 2, pair);
  }
  if (kSingles.find(rest[0]) != std::string_view::npos) return symbol(begin, 1, rest.substr(0, 1));
  const auto character = rest.substr(0, character_length(rest));
  std::string hint;
  if (character == "=") hint = "; '==' compares";
  if (character == "&" || character == "|")
    hint = fmt::format("; did you mean '{0}{0}'?", character);
  if (character == "`") hint = "; texts go in single quotes, pointers in double quotes";
  complain(source, begin,
           fmt::format("found '{}', which means nothing here{}", printable(character), hint));
}

}  // namespace

void complain(const ExpressionSource& source, std::size_t offset, const std::string& message) {
  const Shown line = cut(shown(source.text, offset));
  std::string text;
  for (const std::string& character : line.characters) text += character;
  throw InputError(fmt::format("{}: {}\n{:{}}{}\n{:{}}^", source.where, message, "", kIndent, text,
                               "", kIndent + line.caret));
}

Token next_token(const ExpressionSource& source, std::size_t offset) {
  const std::string_view text = source.text;
  while (offset < text.size() && is_space(text[offset])) ++offset;
  if (offset == text.size()) return {.begin = offset, .end = offset};
  const char c = text[offset];
  const bool point = c == '.' && offset + 1 < text.size() && is_digit(text[offset + 1]);
  if (is_digit(c) || point) return number_token(source, offset);
  if (c == '\'' || c == '"') return quoted_token(source, offset);
  if (is_letter(c)) return name_token(source, offset);
  return symbol_token(source, offset);
}

}  // namespace fathom::sweep
