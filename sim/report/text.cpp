#include "report/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/utf8.hpp"

namespace fathom::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr char32_t kInvalid = 0xFFFFFFFF;

struct Decoded {
  char32_t code = kInvalid;
  std::size_t length = 1;
};

Decoded decode(std::string_view text) {
  const std::size_t length = utf8_length(text);
  if (length == 0) return {};
  const unsigned first = static_cast<unsigned char>(text[0]);
  char32_t code = length == 1 ? first : first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  return {code, length};
}

bool is_printable(char32_t code) {
  if (code == '\n' || code == '\t') return true;
  // C0 and C1 controls and DEL; U+FFFE and U+FFFF are not XML characters; the bidirectional
  // overrides could make a table read differently from its data.
  const bool control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
  const bool override_direction =
      (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !control && !override_direction && code < 0x110000 && code != 0xFFFE && code != 0xFFFF;
}

// The ranges of Unicode's East Asian Width and of combining marks that names may contain.
int width_of(char32_t code) {
  const auto in = [code](char32_t low, char32_t high) { return code >= low && code <= high; };
  const bool combining = in(0x0300, 0x036F) || in(0x200B, 0x200F) || in(0xFE00, 0xFE0F);
  if (combining || in(0x20D0, 0x20FF)) return 0;
  const bool cjk = in(0x1100, 0x115F) || in(0x2E80, 0xA4CF) || in(0xAC00, 0xD7A3) ||
                   in(0xF900, 0xFAFF) || in(0xFE30, 0xFE6F) || in(0x20000, 0x3FFFD);
  const bool full_width = in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6);
  return cjk || full_width || in(0x1F300, 0x1FAFF) ? 2 : 1;
}

// What one character contributes to a slug; empty for a separator.
std::string slug_piece(char32_t code) {
  const bool digit_or_lower = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z');
  if (digit_or_lower) return {static_cast<char>(code)};
  if (code >= 'A' && code <= 'Z') return {static_cast<char>(code - 'A' + 'a')};
  if (code == 0xB5 || code == 0x3BC) return "u";  // the micro sign and Greek mu: µs is us
  return {};
}

}  // namespace

std::string clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    out += is_printable(next.code) ? text.substr(0, next.length) : kReplacement;
    text.remove_prefix(next.length);
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string line = clean(text);
  std::ranges::replace_if(
      line, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

std::vector<Span> spans(std::string_view text) {
  std::vector<Span> out;
  while (!text.empty()) {
    const auto open = text.find('`');
    const auto close = open == std::string_view::npos ? open : text.find('`', open + 1);
    if (close == std::string_view::npos || close == open + 1) {
      // No pair, or one with nothing inside: the backticks are themselves text.
      const auto end = close == std::string_view::npos ? text.size() : close + 1;
      out.push_back({text.substr(0, end), false});
      text.remove_prefix(end);
      continue;
    }
    if (open > 0) out.push_back({text.substr(0, open), false});
    out.push_back({text.substr(open + 1, close - open - 1), true});
    text.remove_prefix(close + 1);
  }
  return out;
}

std::string without_backticks(std::string_view text) {
  std::string out;
  for (const Span& span : spans(text)) out += span.text;
  return out;
}

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    width += next.code == kInvalid ? 1 : width_of(next.code);
    text.remove_prefix(next.length);
  }
  return width;
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> lines;
  std::string line;
  const std::string flat = one_line(text);
  std::string_view rest = flat;
  for (auto start = rest.find_first_not_of(' '); start != std::string_view::npos;
       start = rest.find_first_not_of(' ')) {
    rest.remove_prefix(start);
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(word.size());
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
      lines.push_back(std::exchange(line, {}));
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty() || lines.empty()) lines.push_back(line);
  return lines;
}

std::string slug(std::string_view text, char separator) {
  std::string out;
  bool gap = false;
  while (!text.empty()) {
    const Decoded next = decode(text);
    text.remove_prefix(next.length);
    const std::string piece = slug_piece(next.code);
    if (!piece.empty() && gap && !out.empty()) out += separator;
    gap = piece.empty();
    out += piece;
  }
  return out;
}

std::string exact_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

}  // namespace fathom::report
