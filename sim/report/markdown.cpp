#include "report/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lang/say.hpp"
#include "report/escape.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using lang::say;
using lang::tr;

Column said_column(std::string_view header) { return text_column(std::string(tr(header))); }

std::string header_text(const Column& column) {
  const std::string header = escape_markdown(column.header);
  return unit_in_header(column) ? header + " (" + escape_markdown(column.unit) + ")" : header;
}

std::string cell_text(const Cell& cell, const Column& column) {
  const std::string text = escape_markdown(shown_text(cell, column));
  if (cell.mark == Mark::none || text.empty()) return text;
  return cell.mark == Mark::best ? "**" + text + "**" : "*" + text + "*";
}

std::string row_text(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += " " + cell + " |";
  return out + "\n";
}

std::string table_text(const Table& table) {
  check(table);
  std::vector<std::string> cells;
  for (const Column& column : table.columns) cells.push_back(header_text(column));
  std::string out = row_text(cells);
  cells.clear();
  for (const Column& column : table.columns) {
    cells.emplace_back(column.align == Align::right ? "---:" : "---");
  }
  out += row_text(cells);
  for (const auto& row : table.rows) {
    cells.clear();
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(cell_text(row[i], table.columns[i]));
    }
    out += row_text(cells);
  }
  return out;
}

std::string mark_legend(const Table& table) {
  std::string out;
  if (has_mark(table, Mark::best)) out += tr("**bold**: best");
  if (has_mark(table, Mark::bound)) {
    out += out.empty() ? "" : "; ";
    out += tr("*italic*: bound");
  }
  return out.empty() ? out : "\n" + out + "\n";
}

// A fence longer than any run of backticks inside it.
std::string code_text(const CodeBlock& code) {
  std::size_t longest = 2;
  std::size_t run = 0;
  for (const char c : code.text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  std::string text = clean(code.text);
  if (text.empty() || text.back() != '\n') text += '\n';
  return fence + slug(code.language, '-') + "\n" + text + fence + "\n";
}

class Writer {
 public:
  Writer(const MarkdownOptions& options, std::vector<Section> sections)
      : options_(options), sections_(std::move(sections)) {}

  void write(const std::vector<Block>& blocks) {
    for (const Block& block : blocks) std::visit(*this, block.content);
  }

  void operator()(const Heading& heading) {
    const Section& section = sections_[next_section_++];
    // GitHub makes an anchor from the text; ours is needed only where it differs.
    if (section.anchor != slug(heading.text, '-')) {
      paragraph(fmt::format("<a id=\"{}\"></a>", section.anchor));
    }
    const auto level = static_cast<std::size_t>(std::clamp(heading.level, 2, 6));
    paragraph(std::string(level, '#') + " " + escape_markdown(heading.text));
  }
  void operator()(const Paragraph& block) { paragraph(escape_markdown(block.text)); }
  void operator()(const Note& note) {
    paragraph(say("> **{}:** {}", tr(name(note.kind)), escape_markdown(note.text)));
  }
  void operator()(const Table& table) {
    ++tables_;
    paragraph(fmt::format("**{}** {}", say("Table {}.", tables_), escape_markdown(table.title)));
    paragraph(table_text(table) + mark_legend(table));
  }
  void operator()(const Plot& plot) { picture(plot); }
  void operator()(const LanePlot& plot) { picture(plot); }
  void operator()(const KeyFigures& key) {
    Table table{.columns = {said_column("key figure"), number_column(std::string(tr("value"))),
                            text_column("")}};
    for (const KeyFigure& figure : key.figures) {
      const std::string value = shown_text(figure.value, {});
      const std::string text = figure.unit.empty() ? value : value + " " + figure.unit;
      table.rows.push_back({figure.label, {text, figure.value.mark}, figure.detail});
    }
    paragraph(table_text(table));
  }
  void operator()(const PointSet& points) { (*this)(Paragraph{points.note}); }
  void operator()(const WhatIf& block) { (*this)(Paragraph{what_if_text(block)}); }
  void operator()(const CodeBlock& code) { paragraph(code_text(code)); }
  void operator()(const Details& details) {
    paragraph("<details><summary>" + html_inline(details.summary) + "</summary>");
    write(details.blocks);
    paragraph("</details>");
  }

  void operator()(const Workings& workings) {
    Table table{.columns = {said_column("number"), said_column("term"), said_column("how")}};
    for (const Working& working : workings.items) {
      for (const WorkingLine& line : working.lines)
        table.rows.push_back({working.name, line.term, line.text});
    }
    fold(workings.summary, table_text(table));
  }

  void paragraph(const std::string& text) {
    if (!out_.empty()) out_ += "\n";
    out_ += text;
    if (out_.back() != '\n') out_ += '\n';
  }
  std::string take() { return std::move(out_); }

 private:
  template <class Picture>
  void picture(const Picture& plot) {
    ++plots_;
    paragraph(fmt::format("**{}** {}", say("Figure {}.", plots_), escape_markdown(plot.title)));
    const Table data = data_table(plot);
    if (options_.plot_path) {
      // A path may hold spaces and parentheses, which end a Markdown link.
      paragraph(fmt::format("![{}]({})", escape_markdown(plot.title),
                            percent_encode(options_.plot_path(plots_))));
    }
    if (!plot.note.empty()) paragraph(escape_markdown(plot.note));
    if (options_.plot_path) {
      fold(say("Data ({} rows)", data.rows.size()), table_text(data));
    } else {
      paragraph(table_text(data));
    }
  }
  void fold(const std::string& summary, const std::string& text) {
    paragraph("<details><summary>" + summary + "</summary>");
    paragraph(text);
    paragraph("</details>");
  }

  const MarkdownOptions& options_;
  std::vector<Section> sections_;
  std::size_t next_section_ = 0;
  int tables_ = 0;
  int plots_ = 0;
  std::string out_;
};

void write_metadata(Writer& writer, const Metadata& metadata) {
  writer.paragraph("---");
  writer.paragraph(say("Produced by fathom {}.", escape_markdown(metadata.version)));
  if (!metadata.command.empty()) writer(CodeBlock{.text = metadata.command, .language = "sh"});
  if (metadata.inputs.empty()) return;
  Table inputs{.columns = {said_column("input"), said_column("hash")}};
  for (const Input& input : metadata.inputs) inputs.rows.push_back({input.name, input.hash});
  writer.paragraph(table_text(inputs));
}

}  // namespace

std::string render_markdown(const Document& document, const MarkdownOptions& options) {
  Writer writer(options, sections(document));
  writer.paragraph("# " + escape_markdown(document.title));
  if (!document.finding.empty()) {
    writer.paragraph("**" + escape_markdown(document.finding) + "**");
  }
  writer.write(document.blocks);
  write_metadata(writer, document.metadata);
  return writer.take();
}

}  // namespace fathom::report
