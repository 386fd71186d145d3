#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "lang/say.hpp"
#include "report/text.hpp"

namespace fathom::cli {
namespace {

constexpr int kUsualWidth = 100;  // where prose wraps in files
constexpr int kNarrowest = 20;    // below that a window says nothing about what is readable
constexpr std::size_t kGap = 2;   // between columns, as render_terminal() sets them

// The width that render_terminal() gives a column: its header, its widest cell, room for a mark.
std::size_t width_of(const report::Table& table, std::size_t i) {
  const report::Column& column = table.columns[i];
  int width = report::display_width(
      report::unit_in_header(column) ? column.header + " " + column.unit : column.header);
  bool marked = false;
  for (const auto& row : table.rows) {
    const std::string text = report::without_backticks(report::shown_text(row[i], column));
    width = std::max(width, report::display_width(report::one_line(text)));
    marked = marked || row[i].mark != report::Mark::none;
  }
  return static_cast<std::size_t>(width) + (marked ? 1 : 0);
}

// Which columns stand in which part; the first column stands in all of them.
std::vector<std::vector<std::size_t>> parts_of(const report::Table& table, std::size_t width) {
  std::vector<std::vector<std::size_t>> parts{{0}};
  const std::size_t name = width_of(table, 0);
  std::size_t used = name;
  for (std::size_t i = 1; i < table.columns.size(); ++i) {
    const std::size_t more = kGap + width_of(table, i);
    if (used + more > width && parts.back().size() > 1) {
      parts.push_back({0});
      used = name;
    }
    parts.back().push_back(i);
    used += more;
  }
  return parts;
}

report::Table part_of(const report::Table& table, const std::vector<std::size_t>& columns) {
  report::Table part{.title = table.title};
  for (const std::size_t i : columns) part.columns.push_back(table.columns[i]);
  for (const auto& row : table.rows) {
    part.rows.emplace_back();
    for (const std::size_t i : columns) part.rows.back().push_back(row[i]);
  }
  return part;
}

std::vector<report::Block> fitted(std::vector<report::Block> blocks, std::size_t width) {
  std::vector<report::Block> out;
  for (report::Block& block : blocks) {
    if (auto* details = std::get_if<report::Details>(&block.content))
      details->blocks = fitted(std::move(details->blocks), width);
    const auto* table = std::get_if<report::Table>(&block.content);
    const bool named = table != nullptr && !table->columns.empty() &&
                       table->columns.front().align == report::Align::left;
    if (!named) {
      out.push_back(std::move(block));
      continue;
    }
    const auto parts = parts_of(*table, width);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      report::Table part = part_of(*table, parts[i]);
      if (parts.size() > 1) {
        part.title += part.title.empty() ? "" : " ";
        part.title += lang::say("({} of {})", i + 1, parts.size());
      }
      out.emplace_back(std::move(part));
    }
  }
  return out;
}

}  // namespace

bool colour_terminal() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal != nullptr && std::string_view(terminal) == "dumb") return false;
  return ::isatty(STDOUT_FILENO) != 0;
}

int terminal_width() {
  if (::isatty(STDOUT_FILENO) == 0) return 0;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return std::max<int>(kNarrowest, size.ws_col);
  const char* columns = std::getenv("COLUMNS");
  const int width = columns == nullptr ? 0 : std::atoi(columns);
  return width > 0 ? std::max(kNarrowest, width) : kUsualWidth;
}

report::Document fit_tables(report::Document document, int width) {
  document.blocks = fitted(std::move(document.blocks), static_cast<std::size_t>(width));
  return document;
}

}  // namespace fathom::cli
