#include "report/escape.hpp"

#include "report/text.hpp"

namespace fathom::report {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

bool is_word(char c) {
  return contains(kDigits, c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// "# ", "> ", "- ", "---", "1. ": block markup, but only as the first thing on a line and, but for
// ">", only before a space, its like or the end; "-5" and "41.8" are numbers.
bool starts_block(std::string_view line, std::size_t at) {
  const bool first = line.find_first_not_of(' ') == at;
  if (line[at] == '>') return first;
  const char next = at + 1 < line.size() ? line[at + 1] : ' ';
  if (next != ' ' && next != line[at]) return false;
  if (contains("#+-", line[at])) return first;
  if (line[at] != '.' && line[at] != ')') return false;
  const std::string_view before = line.substr(0, at);
  const auto digit = before.find_first_not_of(' ');
  return digit != std::string_view::npos &&
         before.find_first_not_of(kDigits, digit) == std::string_view::npos;
}

// GitHub leaves snake_case alone: an underscore is emphasis only at a word's edge.
bool is_emphasis_underscore(std::string_view text, std::size_t at) {
  if (text[at] != '_') return false;
  const bool inside = at > 0 && at + 1 < text.size() && is_word(text[at - 1]);
  return !(inside && is_word(text[at + 1]));
}

std::string markdown_text(std::string_view text, bool line_start) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      // `$` because GitHub sets math between two of them: "$2 to $3 per hour".
      const bool escape = contains("\\`*[]|~$", c) || is_emphasis_underscore(text, at) ||
                          (line_start && starts_block(text, at));
      if (escape) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string markdown_code(std::string_view text) {
  std::string out = "`";
  for (const char c : text) {
    // GitHub splits table cells before it looks for code, and then removes this backslash.
    if (c == '|') out += '\\';
    out += c;
  }
  return out + '`';
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : clean(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_inline(std::string_view text) {
  std::string out;
  for (const Span& span : spans(text)) {
    const std::string escaped = escape_html(span.text);
    out += span.code ? "<code>" + escaped + "</code>" : escaped;
  }
  return out;
}

std::string escape_markdown(std::string_view text) {
  const std::string line = one_line(text);
  std::string out;
  for (const Span& span : spans(line)) {
    out += span.code ? markdown_code(span.text) : markdown_text(span.text, out.empty());
  }
  return out;
}

std::string escape_csv(std::string_view field) {
  // Some readers trim a field's spaces unless it is quoted.
  const bool edge_space = !field.empty() && (field.front() == ' ' || field.back() == ' ');
  if (field.find_first_of(",\"\r\n") == std::string_view::npos && !edge_space) {
    return std::string(field);
  }
  std::string out = "\"";
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string neutralise_formula(std::string text) {
  if (!text.empty() && contains("=+-@\t\r", text.front())) text.insert(text.begin(), '\'');
  return text;
}

// These characters occur in JSON only inside strings, where \u escapes mean the same.
std::string escape_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_word(c) || contains("-_.~,/:", c)) {
      out += c;
      continue;
    }
    const auto value = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[value >> 4U];
    out += kHex[value & 0xFU];
  }
  return out;
}

}  // namespace fathom::report
