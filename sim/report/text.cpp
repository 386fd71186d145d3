#include "report/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/utf8.hpp"
#include "report/character_width.hpp"

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

// A character that may not begin a line, or may not end one: closing and opening punctuation of
// Chinese and of ASCII, which Chinese text uses too (Unicode UAX #14, classes CL, CP, EX, IS, NS,
// OP).
constexpr std::u32string_view kNeverFirst = U"。，、；：？！）》」』】〉〕〗”’…—·～％,.;:?!)]}%";
constexpr std::u32string_view kNeverLast = U"（《「『【〈〔〖“‘([{";

bool may_break(char32_t before, char32_t after) {
  const bool wide = character_width(before) == 2 || character_width(after) == 2;
  return wide && kNeverFirst.find(after) == std::u32string_view::npos &&
         kNeverLast.find(before) == std::u32string_view::npos;
}

// What stays on one line: a word, a Chinese character with the punctuation that clings to it.
struct Piece {
  std::string_view text;
  bool after_blank = false;
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  bool blank = false;
  char32_t last = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::string_view character = text.substr(0, next.length);
    text.remove_prefix(next.length);
    if (next.code == ' ') {
      blank = true;
      continue;
    }
    if (pieces.empty() || blank || may_break(last, next.code)) {
      pieces.push_back({character, blank && !pieces.empty()});
    } else {
      const char* begin = pieces.back().text.data();
      pieces.back().text = {begin, pieces.back().text.size() + character.size()};
    }
    blank = false;
    last = next.code;
  }
  return pieces;
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
    width += next.code == kInvalid ? 1 : character_width(next.code);
    text.remove_prefix(next.length);
  }
  return width;
}

int wide_characters(std::string_view text) {
  int count = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    count += next.code != kInvalid && character_width(next.code) == 2 ? 1 : 0;
    text.remove_prefix(next.length);
  }
  return count;
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> lines;
  std::string line;
  int used = 0;
  const std::string flat = one_line(text);
  for (const Piece& piece : pieces_of(flat)) {
    const int more = display_width(piece.text);
    if (!line.empty() && used + (piece.after_blank ? 1 : 0) + more > width) {
      lines.push_back(std::exchange(line, {}));
      used = 0;
    }
    if (!line.empty() && piece.after_blank) {
      line += ' ';
      ++used;
    }
    line += piece.text;
    used += more;
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
