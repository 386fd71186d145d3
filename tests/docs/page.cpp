#include "docs/page.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <sstream>

#include "cli/program.hpp"
#include "core/json_io.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

bool starts_fence(std::string_view line) { return line.starts_with("```"); }

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// Where the comment of a shell line begins: a '#' at the front or behind a blank, outside of
// quotes.
std::size_t comment_begin(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ')) {
      return i;
    }
  }
  return std::string_view::npos;
}

// Code spans hold no links.
std::string without_code(std::string_view line) {
  std::string out;
  bool code = false;
  for (const char c : line) {
    if (c == '`') {
      code = !code;
    } else if (!code) {
      out += c;
    }
  }
  return out;
}

void add_links(Page& page, std::string_view raw, int number) {
  const std::string line = without_code(raw);
  for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
    const auto end = line.find(')', at);
    if (end == std::string::npos) return;
    page.links.push_back({line.substr(at + 2, end - at - 2), number});
  }
}

void add_anchor(Page& page, std::string_view line) {
  const auto level = line.find_first_not_of('#');
  if (level == 0 || level > 6 || line[level] != ' ') return;
  const std::string anchor = anchor_of(line.substr(level + 1));
  std::string name = anchor;
  for (int n = 1; !page.anchors.insert(name).second; ++n) name = anchor + "-" + std::to_string(n);
}

// Punctuation beyond ASCII that our pages use in headings: general, CJK, full width.
bool is_wide_punctuation(std::uint32_t c) {
  return c == 0xB7 || c == 0xD7 || (c >= 0x2000 && c <= 0x206F) || (c >= 0x3000 && c <= 0x303F) ||
         (c >= 0xFF00 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20);
}

}  // namespace

std::string anchor_of(std::string_view heading) {
  std::string out;
  for (std::size_t i = 0; i < heading.size();) {
    const auto byte = static_cast<unsigned char>(heading[i]);
    const std::size_t size = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (size == 1) {
      if (std::isalnum(byte) != 0 || byte == '-' || byte == '_') {
        out += static_cast<char>(std::tolower(byte));
      } else if (byte == ' ') {
        out += '-';
      }
    } else {
      std::uint32_t code = byte & (0xFFU >> (size + 1));
      for (std::size_t k = 1; k < size; ++k)
        code = (code << 6) | (static_cast<unsigned char>(heading[i + k]) & 0x3FU);
      if (!is_wide_punctuation(code)) out += heading.substr(i, size);
    }
    i += size;
  }
  return out;
}

Page read_page(std::string_view path) {
  Page page{.path = std::string(path)};
  std::istringstream in(read_text(source_file(path)));
  bool code = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (starts_fence(line)) {
      if (!code) page.blocks.push_back({trimmed(line.substr(3)), number, {}});
      code = !code;
    } else if (code) {
      page.blocks.back().lines.push_back(line);
    } else {
      add_anchor(page, line);
      add_links(page, line, number);
    }
  }
  return page;
}

std::vector<std::string> english_pages() {
  std::vector<std::string> pages{"README.md"};
  const fs::path root = source_file("");
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs")) {
    const std::string path = fs::relative(entry.path(), root).generic_string();
    if (path.ends_with(".md") && !path.starts_with("docs/zh/")) pages.push_back(path);
  }
  std::sort(pages.begin(), pages.end());
  return pages;
}

std::string chinese_twin(std::string_view english) {
  if (english == "README.md") return "README.zh-CN.md";
  return "docs/zh/" + std::string(english.substr(std::string_view("docs/").size()));
}

std::string without_comment(std::string_view line) {
  const auto begin = comment_begin(line);
  const std::string_view code = line.substr(0, begin);
  const auto last = code.find_last_not_of(' ');
  return std::string(code.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

std::string comment_of(std::string_view line) {
  const auto begin = comment_begin(line);
  return begin == std::string_view::npos ? "" : trimmed(line.substr(begin + 1));
}

}  // namespace fathom::test
