#include "report/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lang/say.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using lang::say;
using lang::tr;

constexpr std::size_t kMostPlotRows = 40;  // the numbers behind a plot; files carry them all

// Rows 0, stride, 2 stride, …
Table every(std::size_t stride, Table table) {
  table.title += " " + say("(every {}th of {} points)", stride, table.rows.size());
  std::vector<std::vector<Cell>> kept;
  for (std::size_t i = 0; i < table.rows.size(); i += stride) kept.push_back(table.rows[i]);
  table.rows = std::move(kept);
  return table;
}

constexpr std::string_view kGap = "  ";
constexpr std::string_view kBestSign = "*";
constexpr std::string_view kBoundSign = "<";

enum class Style { plain, bold, dim, best, bound, warning };

std::string styled(const std::string& text, Style style, const TerminalOptions& options) {
  if (!options.colour || style == Style::plain || text.empty()) return text;
  const char* code = style == Style::bold   ? "1"
                     : style == Style::dim  ? "2"
                     : style == Style::best ? "1;32"
                                            : "33";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string line_of(std::string_view text) { return one_line(without_backticks(text)); }

std::string pad(const std::string& text, int width, Align align) {
  const std::string blanks(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  return align == Align::right ? blanks + text : text + blanks;
}

// Marks are signs as well as colours: output is read in pipes and by colour-blind people.
struct ColumnLayout {
  Align align = Align::right;
  int width = 0;
  bool marked = false;
};

std::string shown_line(const Cell& cell, const Column& column) {
  return line_of(shown_text(cell, column));
}

std::string header_text(const Column& column) {
  return line_of(unit_in_header(column) ? column.header + " " + column.unit : column.header);
}

std::string_view sign_of(Mark mark) {
  if (mark == Mark::none) return " ";
  return mark == Mark::best ? kBestSign : kBoundSign;
}

std::vector<ColumnLayout> lay_out(const Table& table) {
  std::vector<ColumnLayout> layouts;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    ColumnLayout layout{.align = column.align};
    layout.width = display_width(header_text(column));
    for (const auto& row : table.rows) {
      layout.width = std::max(layout.width, display_width(shown_line(row[i], column)));
      layout.marked = layout.marked || row[i].mark != Mark::none;
    }
    layouts.push_back(layout);
  }
  return layouts;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string header_line(const Table& table, const std::vector<ColumnLayout>& layouts,
                        const TerminalOptions& options) {
  std::string line;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    if (i > 0) line += kGap;
    line += pad(header_text(table.columns[i]), layouts[i].width, layouts[i].align);
    if (layouts[i].marked) line += ' ';
  }
  return styled(without_trailing_blanks(line), Style::bold, options) + "\n";
}

std::string row_line(const std::vector<Cell>& row, const Table& table,
                     const std::vector<ColumnLayout>& layouts, const TerminalOptions& options) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Style style = row[i].mark == Mark::best    ? Style::best
                        : row[i].mark == Mark::bound ? Style::bound
                                                     : Style::plain;
    if (i > 0) line += kGap;
    const std::string text = shown_line(row[i], table.columns[i]);
    const std::string blanks = pad("", layouts[i].width - display_width(text), Align::left);
    const std::string sign = layouts[i].marked ? std::string(sign_of(row[i].mark)) : "";
    // Colour only the text and its sign, so that the blanks can be trimmed.
    line += layouts[i].align == Align::right ? blanks : "";
    line += styled(text, style, options);
    line += layouts[i].align == Align::right ? "" : blanks;
    line += styled(sign, sign == " " ? Style::plain : style, options);
  }
  return without_trailing_blanks(line) + "\n";
}

class Writer {
 public:
  explicit Writer(const TerminalOptions& options) : options_(options) {}

  void write(const std::vector<Block>& blocks) {
    for (const Block& block : blocks) std::visit(*this, block.content);
  }
  void operator()(const Heading& heading) {
    section(styled(line_of(heading.text), Style::bold, options_) + "\n");
  }
  void operator()(const Paragraph& block) { section(prose(block.text, "")); }
  void operator()(const Note& note) {
    section(prose(fmt::format("{}{}{}", tr(name(note.kind)), tr(": "), note.text), "  ",
                  note.kind == NoteKind::warning ? Style::warning : Style::dim));
  }
  void operator()(const Table& table) { section(render_terminal(table, options_)); }
  void operator()(const Plot& plot) {
    Table data = data_table(plot);
    const std::size_t stride = (data.rows.size() + kMostPlotRows - 1) / kMostPlotRows;
    if (stride > 1) data = every(stride, std::move(data));
    section(render_terminal(data, options_));
    if (!plot.note.empty()) out_ += prose(plot.note, "", Style::dim);
  }
  // Pictures of numbers that a table of the same document has, and reasons for them: for files.
  void operator()(const LanePlot& /*plot*/) {}
  void operator()(const Workings& /*workings*/) {}
  void operator()(const KeyFigures& key) {
    Table table{.columns = {text_column(""), number_column(""), text_column(""), text_column("")}};
    for (const KeyFigure& figure : key.figures) {
      table.rows.push_back({figure.label, figure.value, figure.unit, figure.detail});
    }
    std::string text;
    const std::vector<ColumnLayout> layouts = lay_out(table);
    for (const auto& row : table.rows) text += row_line(row, table, layouts, options_);
    section(text);
  }
  void operator()(const PointSet& points) { (*this)(Paragraph{points.note}); }
  void operator()(const WhatIf& block) { (*this)(Paragraph{what_if_text(block)}); }
  void operator()(const CodeBlock& code) {
    std::string text = clean(code.text);
    if (text.empty() || text.back() != '\n') text += '\n';
    section(text);
  }
  void operator()(const Details& details) {
    section(styled(line_of(details.summary), Style::bold, options_) + "\n");
    write(details.blocks);
  }

  void section(const std::string& text) {
    if (!out_.empty()) out_ += "\n";
    out_ += text;
  }
  std::string prose(std::string_view text, const std::string& indent, Style style = Style::plain) {
    const std::vector<std::string> lines = wrap(without_backticks(text), options_.width);
    std::string out;
    for (const std::string& line : lines) {
      out += (out.empty() ? "" : indent) + styled(line, style, options_) + "\n";
    }
    return out;
  }
  std::string take() { return std::move(out_); }

 private:
  const TerminalOptions& options_;
  std::string out_;
};

}  // namespace

std::string render_terminal(const Table& table, const TerminalOptions& options) {
  check(table);
  std::string out;
  if (!table.title.empty()) out += styled(line_of(table.title), Style::bold, options) + "\n";
  const std::vector<ColumnLayout> layouts = lay_out(table);
  out += header_line(table, layouts, options);
  for (const auto& row : table.rows) out += row_line(row, table, layouts, options);
  std::string legend;
  if (has_mark(table, Mark::best)) legend += fmt::format("{} {}", kBestSign, tr("best"));
  if (has_mark(table, Mark::bound)) {
    legend += fmt::format("{}{} {}", legend.empty() ? "" : "   ", kBoundSign, tr("bound"));
  }
  if (!legend.empty()) out += styled(legend, Style::dim, options) + "\n";
  return out;
}

std::string render_terminal(const Document& document, const TerminalOptions& options) {
  Writer writer(options);
  writer.section(styled(line_of(document.title), Style::bold, options) + "\n");
  if (!document.finding.empty()) writer.section(writer.prose(document.finding, ""));
  writer.write(document.blocks);
  const Metadata& metadata = document.metadata;
  std::string origin = "fathom " + line_of(metadata.version) + "\n";
  if (!metadata.command.empty()) origin += line_of(metadata.command) + "\n";
  for (const Input& input : metadata.inputs) {
    origin += fmt::format("{}  {}\n", line_of(input.hash), line_of(input.name));
  }
  writer.section(styled(origin, Style::dim, options));
  return writer.take();
}

}  // namespace fathom::report
