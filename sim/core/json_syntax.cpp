#include "core/json_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/utf8.hpp"

namespace fathom {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The library's own parser follows once this one is content. It exists because the library
// neither names duplicate keys nor limits depth, and words its complaints for programmers.
class SyntaxChecker {
 public:
  SyntaxChecker(std::string_view text, std::string_view shown) : text_(text), shown_(shown) {}

  void check() {
    skip_space();
    if (at_end()) throw InputError(fmt::format("{}: empty; expected a JSON value", shown_));
    value(0);
    skip_space();
    if (!at_end()) expected("the end of the file");
  }

 private:
  [[noreturn]] void fail_at(std::size_t position, const std::string& message) const {
    const std::string_view before = text_.substr(0, position);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::string_view line =
        newline == std::string_view::npos ? before : before.substr(newline + 1);
    // Columns count characters, as editors do: continuation bytes of UTF-8 do not count.
    const auto column = std::count_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    });
    throw InputError(
        fmt::format("{}: line {}, column {}: {}", shown_, lines + 1, column + 1, message));
  }

  [[noreturn]] void expected(std::string_view what) const {
    if (at_end()) fail_at(pos_, fmt::format("expected {}, found the end of the file", what));
    fail_at(pos_, fmt::format("expected {}, found '{}'", what, found_here()));
  }

  // A whole word where there is one (NaN, True, undefined), else one character.
  std::string found_here() const {
    std::size_t end = pos_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    if (end == pos_) end += utf8_length(text_.substr(pos_));
    return printable(text_.substr(pos_, end - pos_), 24);
  }

  bool at_end() const { return pos_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[pos_]; }
  bool accept(char c) {
    if (at_end() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  void skip_space() {
    while (!at_end() && std::string_view{" \t\r\n"}.find(text_[pos_]) != std::string_view::npos) {
      ++pos_;
    }
  }

  void value(int depth) {
    skip_space();
    const char c = peek();
    if (c == '{' || c == '[') {
      if (depth == kMaxJsonDepth) {
        fail_at(pos_, fmt::format("nested too deep; expected at most {} levels", kMaxJsonDepth));
      }
      if (c == '{') {
        object(depth + 1);
      } else {
        array(depth + 1);
      }
    } else if (c == '"') {
      string();
    } else if (c == '-' || is_digit(c)) {
      number();
    } else if (!accept_word("true") && !accept_word("false") && !accept_word("null")) {
      expected("a JSON value");
    }
  }

  bool accept_word(std::string_view word) {
    if (!text_.substr(pos_).starts_with(word)) return false;
    const std::size_t end = pos_ + word.size();
    if (end < text_.size() && is_word(text_[end])) return false;
    pos_ = end;
    return true;
  }

  void object(int depth) {
    ++pos_;
    skip_space();
    if (accept('}')) return;
    std::set<std::string, std::less<>> keys;
    do {
      skip_space();
      const std::size_t start = pos_;
      if (peek() != '"') expected(keys.empty() ? "a key in quotes or '}'" : "a key in quotes");
      std::string key = decoded(string());
      if (keys.contains(key)) {
        fail_at(start, fmt::format("key '{}' appears twice in one object; expected it once",
                                   printable(key)));
      }
      keys.insert(std::move(key));
      skip_space();
      if (!accept(':')) expected("':'");
      value(depth);
      skip_space();
    } while (accept(','));
    if (!accept('}')) expected("',' or '}'");
  }

  void array(int depth) {
    ++pos_;
    skip_space();
    if (accept(']')) return;
    do {
      value(depth);
      skip_space();
    } while (accept(','));
    if (!accept(']')) expected("',' or ']'");
  }

  // The text between the quotes, escapes as written.
  std::string_view string() {
    const std::size_t open = pos_++;
    while (!at_end()) {
      const char c = text_[pos_];
      if (c == '"') {
        const std::string_view inside = text_.substr(open + 1, pos_ - open - 1);
        ++pos_;
        return inside;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        if (c == '\n' || c == '\r') fail_at(pos_, "expected '\"' before the end of the line");
        fail_at(pos_, fmt::format("found '{}' in a string, expected it as \\u{:04x}", found_here(),
                                  static_cast<unsigned>(c)));
      }
      if (c == '\\') {
        escape();
      } else {
        ++pos_;
      }
    }
    fail_at(open, "string without its closing '\"', found the end of the file");
  }

  void escape() {
    const std::size_t start = pos_++;
    const char c = peek();
    if (at_end() || std::string_view{"\"\\/bfnrtu"}.find(c) == std::string_view::npos) {
      fail_at(start,
              "unknown escape in a string; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r "
              "\\t \\uXXXX");
    }
    ++pos_;
    if (c != 'u') return;
    const unsigned unit = hex4(start);
    const bool high = unit >= 0xD800 && unit <= 0xDBFF;
    const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (low) fail_at(start, "second half of a surrogate pair without the first");
    if (!high) return;
    if (!accept('\\') || !accept('u')) {
      fail_at(start, "first half of a surrogate pair without the second");
    }
    const unsigned second = hex4(start);
    if (second < 0xDC00 || second > 0xDFFF) {
      fail_at(start, "first half of a surrogate pair without the second");
    }
  }

  unsigned hex4(std::size_t start) {
    unsigned unit = 0;
    for (int i = 0; i < 4; ++i, ++pos_) {
      const int digit = hex_value(peek());
      if (digit < 0) fail_at(start, "expected four hexadecimal digits after \\u");
      unit = unit * 16 + static_cast<unsigned>(digit);
    }
    return unit;
  }

  static std::string decoded(std::string_view inside) {
    if (inside.find('\\') == std::string_view::npos) return std::string{inside};
    return nlohmann::json::parse(fmt::format("\"{}\"", inside)).get<std::string>();
  }

  void digits() {
    if (!is_digit(peek())) expected("a digit");
    while (is_digit(peek())) ++pos_;
  }

  void number() {
    const std::size_t start = pos_;
    accept('-');
    if (accept('0')) {
      if (is_digit(peek())) fail_at(start, "found a number with a leading 0, expected none");
    } else {
      digits();
    }
    if (accept('.')) digits();
    if (accept('e') || accept('E')) {
      if (!accept('+')) accept('-');
      digits();
    }
    check_range(text_.substr(start, pos_ - start), start);
  }

  void check_range(std::string_view token, std::size_t start) const {
    double parsed = 0.0;
    const auto result = std::from_chars(token.data(), token.data() + token.size(), parsed);
    if (result.ec != std::errc::result_out_of_range) return;
    // Underflow reads as 0 or a subnormal; only the library tells the two apart.
    if (!nlohmann::json::parse(token, nullptr, false).is_discarded()) return;
    fail_at(start, fmt::format("found {}, expected a number below 1.8e308", printable(token, 24)));
  }

  std::string_view text_;
  std::string_view shown_;
  std::size_t pos_ = 0;
};

}  // namespace

void check_json_syntax(std::string_view text, std::string_view shown) {
  const std::size_t bad = first_invalid_utf8(text);
  if (bad != std::string_view::npos) {
    throw InputError(fmt::format("{}: byte {} (0x{:02x}) is not UTF-8; expected UTF-8 text", shown,
                                 bad,
                                 static_cast<unsigned>(static_cast<unsigned char>(text[bad]))));
  }
  SyntaxChecker{text, shown}.check();
}

}  // namespace fathom
