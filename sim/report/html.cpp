#include "report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "lang/say.hpp"
#include "report/assets.hpp"
#include "report/chart.hpp"
#include "report/csv.hpp"
#include "report/escape.hpp"
#include "report/point_set.hpp"
#include "report/script_words.hpp"
#include "report/svg.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using lang::say;
using lang::tr;

constexpr std::size_t kFilteredRows = 8;  // a shorter table is read at a glance
constexpr std::string_view kNoCalculator =
    "Sliders that recompute this page need a fathom that was built with emscripten "
    "(docs/install.md).";
constexpr std::size_t kPointBudget = 2'200'000;  // characters, so that a page stays below 3 MB

std::string csv_link(const Table& table, const std::string& id) {
  // What a slug keeps of a Chinese title are the figures in it.
  std::string name = wide_characters(table.title) > 0 ? "" : slug(table.title, '-').substr(0, 60);
  name.erase(name.find_last_not_of('-') + 1);
  return fmt::format(
      "<a class=\"csv\" download=\"{}.csv\" href=\"data:text/csv;charset=utf-8,{}\">CSV</a>",
      name.empty() ? id : name, percent_encode(render_csv(table)));
}

std::string header_cell(const Column& column) {
  const std::string unit = unit_in_header(column) ? fmt::format(" <span class=\"unit\">{}</span>",
                                                                html_inline(column.unit))
                                                  : "";
  const std::string key =
      column.key.empty() ? "" : fmt::format(" title=\"{}\"", escape_html(one_line(column.key)));
  return fmt::format("<th scope=\"col\"{}{}>{}{}</th>",
                     column.align == Align::right ? " class=\"n\"" : "", key,
                     html_inline(column.header), unit);
}

// A name that leads to how its number came about; assets/workings.js opens it in place.
std::string how_link(const std::string& anchor, const std::string& content) {
  if (anchor.empty()) return content;
  return fmt::format("<a class=\"how\" href=\"#{}\">{}</a>", escape_html(anchor), content);
}

std::string body_cell(const Cell& cell, const Column& column, bool names_row,
                      const std::string& anchor = "") {
  std::string classes = column.align == Align::right ? "n" : "";
  if (cell.mark != Mark::none) {
    classes += classes.empty() ? "" : " ";
    classes += cell.mark == Mark::best ? "best" : "bound";
  }
  const std::string text = shown_text(cell, column);
  // The full number, for sorting and for whoever inspects the cell.
  const std::string exact = exact_text(cell);
  const bool rounded = number(cell) != nullptr && exact != text;
  const std::string mark = cell.mark == Mark::none
                               ? ""
                               : fmt::format("<span class=\"sr\"> ({})</span>",
                                             cell.mark == Mark::best ? tr("best") : tr("bound"));
  const std::string_view tag = names_row ? "th scope=\"row\"" : "td";
  return fmt::format("<{}{}{}>{}{}</{}>", tag,
                     classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
                     rounded ? fmt::format(" data-v=\"{}\"", exact) : "",
                     how_link(anchor, html_inline(text)), mark, names_row ? "th" : "td");
}

enum class Csv : std::uint8_t { with, without };

// The first column whose texts differ from row to row; a block's name repeats for its operators.
std::size_t name_column(const Table& table) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::set<std::string> texts;
    for (const auto& row : table.rows) texts.insert(exact_text(row[i]));
    if (table.columns[i].align == Align::left && 2 * texts.size() > table.rows.size()) return i;
  }
  return 0;
}

/// `caption` is HTML; `id` is unique on the page.
std::string table_html(const Table& table, const std::string& id, const std::string& caption,
                       Csv csv = Csv::with) {
  check(table);
  std::string out = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"{0}-caption\">\n"
      "<table class=\"sortable\">\n<caption id=\"{0}-caption\"><span>{1}</span></caption>\n"
      "<thead><tr>",
      id, caption);
  for (const Column& column : table.columns) out += header_cell(column);
  out += "</tr></thead>\n<tbody>\n";
  // The first name that is a row's own leads to its working.
  const std::size_t named = table.anchors.empty() ? 0 : name_column(table);
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    const std::string anchor = table.anchors.empty() ? "" : table.anchors[r];
    out += anchor.empty() ? "<tr>" : fmt::format("<tr id=\"row-{}\">", escape_html(anchor));
    for (std::size_t i = 0; i < row.size(); ++i) {
      const Column& column = table.columns[i];
      out += body_cell(row[i], column, i == 0 && column.align == Align::left,
                       i == named ? anchor : "");
    }
    out += "</tr>\n";
  }
  out += "</tbody>\n</table>\n</div>\n<p class=\"tools\">";
  if (has_mark(table, Mark::best))
    out += fmt::format("<span class=\"key-best\">{}</span> ", tr("best"));
  if (has_mark(table, Mark::bound))
    out += fmt::format("<span class=\"key-bound\">{}</span> ", tr("bound"));
  // Shown by the page's script, which does the filtering.
  if (table.rows.size() >= kFilteredRows) {
    out += fmt::format(
        "<label class=\"filter\">{} <input type=\"search\" autocomplete=\"off\" "
        "spellcheck=\"false\"/></label><output></output> ",
        tr("Filter"));
  }
  return out + (csv == Csv::with ? csv_link(table, id) : "") + "</p>\n";
}

std::string contents(const std::vector<Section>& sections) {
  std::string out;
  for (const Section& section : sections) {
    if (section.level > 3) continue;
    out += fmt::format("<li class=\"level-{}\"><a href=\"#{}\">{}</a></li>\n",
                       std::max(2, section.level), section.anchor, html_inline(section.text));
  }
  return fmt::format(
      "<nav id=\"contents\" aria-label=\"{1}\">\n<h2>{1}</h2>\n<ol>\n{0}"
      "<li class=\"level-2\"><a href=\"#provenance\">{2}</a></li>\n</ol>\n</nav>\n",
      out, tr("Contents"), tr("Provenance"));
}

class Writer {
 public:
  explicit Writer(std::vector<Section> sections) : sections_(std::move(sections)) {}

  void write(const std::vector<Block>& blocks) {
    for (const Block& block : blocks) std::visit(*this, block.content);
  }

  void operator()(const Heading& heading) {
    const Section& section = sections_[next_section_++];
    const int level = std::clamp(heading.level, 2, 6);
    out_ += fmt::format(
        "<h{0} id=\"{1}\">{2} <a class=\"anchor\" href=\"#{1}\" aria-label=\"{3}\">#</a>"
        "</h{0}>\n",
        level, section.anchor, html_inline(heading.text), tr("Link to this section"));
  }
  void operator()(const Paragraph& block) { out_ += "<p>" + html_inline(block.text) + "</p>\n"; }
  void operator()(const Note& note) {
    out_ += fmt::format("<p class=\"note {}\" role=\"note\"><strong>{}</strong> {}</p>\n",
                        slug(name(note.kind), '-'), tr(name(note.kind)), html_inline(note.text));
  }
  void operator()(const Table& table) {
    const std::string id = fmt::format("table-{}", ++tables_);
    const std::string caption =
        fmt::format("<b>{}</b> {}", say("Table {}.", tables_), html_inline(table.title));
    out_ += fmt::format("<div class=\"table\" id=\"{}\">\n{}</div>\n", id,
                        table_html(table, id, caption));
  }
  void operator()(const Plot& plot) {
    const std::string id = fmt::format("figure-{}", ++figures_);
    const bool live = !chart_library_version().empty();
    charts_ = charts_ || live;
    figure({id, plot.title, plot.note, live ? chart_html(plot) : "", live ? " static" : ""},
           render_svg(plot, {.id = id}), data_table(plot));
  }
  void operator()(const LanePlot& plot) {
    const std::string id = fmt::format("figure-{}", ++figures_);
    figure({id, plot.title, plot.note, "", " lanes"}, render_svg(plot, {.id = id}),
           data_table(plot));
  }
  void operator()(const Workings& workings) {
    out_ += "<details class=\"group workings\"><summary>" + html_inline(workings.summary) +
            "</summary>\n";
    for (const Working& working : workings.items) {
      out_ += fmt::format("<section id=\"{}\" class=\"working\">\n<p><b>{}</b></p>\n<dl>\n",
                          escape_html(working.anchor), html_inline(working.name));
      for (const WorkingLine& line : working.lines)
        out_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n",
                            how_link(line.anchor, html_inline(line.term)), html_inline(line.text));
      out_ += "</dl>\n</section>\n";
    }
    out_ += "</details>\n";
    workings_ = true;
  }
  void operator()(const KeyFigures& key) {
    out_ += "<dl class=\"key-figures\">\n";
    for (const KeyFigure& figure : key.figures) {
      const std::string unit =
          figure.unit.empty() ? "" : " <span>" + html_inline(figure.unit) + "</span>";
      const std::string detail =
          figure.detail.empty() ? ""
                                : "<dd class=\"detail\">" + html_inline(figure.detail) + "</dd>";
      out_ += fmt::format("<div><dt>{}</dt><dd class=\"value\">{}{}</dd>{}</div>\n",
                          how_link(figure.anchor, html_inline(figure.label)),
                          html_inline(shown_text(figure.value, {})), unit, detail);
    }
    out_ += "</dl>\n";
  }
  void operator()(const PointSet& points) {
    out_ += fmt::format(
        "<div class=\"explorer plot-colours\" "
        "id=\"explorer-{}\">\n<p>{}</p>\n<noscript><p>{}</p></noscript>\n"
        "<script type=\"application/json\">{}</script>\n</div>\n",
        ++explorers_, html_inline(points.note), tr("Exploring them needs script."),
        escape_script(points_json(points, kPointBudget)));
  }
  void operator()(const WhatIf& block) {
    if (has_calculator()) {
      out_ += what_if_html(block, fmt::format("what-if-{}", ++what_ifs_));
      return;
    }
    (*this)(Paragraph{what_if_text(block)});
    (*this)(Note{NoteKind::info, std::string(tr(kNoCalculator))});
  }
  void operator()(const CodeBlock& code) {
    // A leading newline right after <pre> is dropped by readers, so one more keeps it.
    out_ += "<pre tabindex=\"0\">\n<code>" + escape_html(code.text) + "</code></pre>\n";
  }
  void operator()(const Details& details) {
    out_ += "<details class=\"group\"><summary>" + html_inline(details.summary) + "</summary>\n";
    write(details.blocks);
    out_ += "</details>\n";
  }

  bool has_explorers() const { return explorers_ > 0; }
  bool has_figures() const { return figures_ > 0; }
  bool has_charts() const { return charts_; }
  bool has_workings() const { return workings_; }
  bool has_what_ifs() const { return what_ifs_ > 0; }
  std::string take() { return std::move(out_); }

 private:
  struct Caption {
    std::string id;
    const std::string& title;
    const std::string& note;
    std::string chart;  // of the page's script; empty: the picture is all there is
    std::string_view classes;
  };

  void figure(const Caption& caption, const std::string& svg, const Table& data) {
    const std::string note = caption.note.empty()
                                 ? ""
                                 : "<p class=\"plot-note\">" + html_inline(caption.note) + "</p>\n";
    out_ += fmt::format(
        "<figure id=\"{0}\">\n<figcaption><b>{10}</b> {2}</figcaption>\n{3}"
        "<div class=\"scroll{8}\" tabindex=\"0\" role=\"region\" aria-label=\"{1}\">\n{4}"
        "</div>\n{5}<p class=\"tools\">{9}</p>\n<details><summary>{6}</summary>\n{7}"
        "</details>\n</figure>\n",
        caption.id, say("Figure {}", figures_), html_inline(caption.title), caption.chart, svg,
        note,
        data.rows.size() == 1 ? std::string(tr("Data, 1 row"))
                              : say("Data, {} rows", data.rows.size()),
        table_html(data, caption.id + "-data", say("Data of figure {}", figures_), Csv::without),
        caption.classes, csv_link(data, caption.id), say("Figure {}.", figures_));
  }

  std::vector<Section> sections_;
  std::size_t next_section_ = 0;
  int tables_ = 0;
  int figures_ = 0;
  int explorers_ = 0;
  bool charts_ = false;
  bool workings_ = false;
  int what_ifs_ = 0;
  std::string out_;
};

std::string figures_by() {
  const std::string_view version = chart_library_version();
  if (version.empty())
    return std::string(tr("Figures are static: Chart.js was missing when fathom was built."));
  return say("Figures by Chart.js {} (MIT licence).", version);
}

std::string provenance(const Metadata& metadata, const Writer& writer) {
  std::string out = fmt::format("<footer id=\"provenance\">\n<h2>{}</h2>\n<p>{}", tr("Provenance"),
                                say("Produced by fathom {}.", html_inline(metadata.version)));
  if (writer.has_charts() || (writer.has_figures() && chart_library_version().empty()))
    out += " " + figures_by();
  out += "</p>\n";
  if (!metadata.command.empty()) {
    out += "<pre tabindex=\"0\"><code>" + escape_html(metadata.command) + "</code></pre>\n";
  }
  if (!metadata.inputs.empty()) {
    const std::string title(tr("Inputs"));
    Table inputs{.title = "Inputs", .columns = {text_column("input"), text_column("hash")}};
    for (Column& column : inputs.columns) {
      const std::string spoken(tr(column.header));
      if (spoken != column.header) column.key = std::exchange(column.header, spoken);
    }
    for (const Input& input : metadata.inputs) inputs.rows.push_back({input.name, input.hash});
    out += "<div class=\"table\">\n" + table_html(inputs, "inputs", title) + "</div>\n";
  }
  return out + "</footer>\n";
}

// The policy makes the promise of a self-contained page enforceable by the browser.
constexpr std::string_view kHead =
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'{}; img-src data:\">\n";
// Sliders compile the calculator that the page carries; other pages may not compile anything.
constexpr std::string_view kMayCompile = " 'wasm-unsafe-eval'";

std::string script(std::string_view text) { return fmt::format("<script>\n{}</script>\n", text); }

// Each once per page, and only for a page with something to draw.
std::string scripts(const Writer& writer) {
  std::string out;
  if (writer.has_charts()) out += script(assets::chart_library()) + script(assets::charts_js());
  if (writer.has_explorers())
    out +=
        script(assets::columns_js()) + script(assets::views_js()) + script(assets::explorer_js());
  if (writer.has_figures()) out += script(assets::figures_js());
  if (writer.has_workings()) out += script(assets::workings_js());
  if (writer.has_what_ifs()) out += what_if_scripts();
  return out + script(assets::page_js());
}

// say() with the texts of this page's own scripts.
std::string say_script(const Writer& writer) {
  std::vector<std::string_view> speaking{assets::page_js(), assets::theme_js()};
  if (writer.has_figures()) speaking.push_back(assets::charts_js());
  if (writer.has_explorers()) speaking.push_back(assets::explorer_js());
  return script(script_words(speaking) + std::string(assets::say_js()));
}

std::string head(const Document& document, const Writer& writer) {
  // The theme is chosen before anything is painted.
  return fmt::format(
      "<!doctype html>\n<html "
      "lang=\"{}\">\n<head>\n{}<title>{}</title>\n<style>\n{}{}{}{}{}</style>\n{}</head>\n",
      lang::tag(lang::spoken()), fmt::format(kHead, writer.has_what_ifs() ? kMayCompile : ""),
      escape_html(without_backticks(document.title)), assets::page_css(), assets::plot_css(),
      writer.has_explorers() || writer.has_what_ifs() ? assets::slider_css() : "",
      writer.has_explorers() ? assets::explorer_css() : "",
      writer.has_what_ifs() ? assets::whatif_css() : "",
      say_script(writer) + script(assets::theme_js()));
}

}  // namespace

std::string render_html(const Document& document) {
  const std::vector<Section> all = sections(document);
  Writer writer(all);
  writer.write(document.blocks);
  const std::string finding =
      document.finding.empty() ? ""
                               : "<p class=\"finding\">" + html_inline(document.finding) + "</p>\n";
  std::string out = head(document, writer);
  out += fmt::format(
      "<body>\n<header id=\"top\">\n<button type=\"button\" id=\"theme\">{}</button>\n"
      "<h1>{}</h1>\n{}</header>\n",
      tr("Theme: auto"), html_inline(document.title), finding);
  out += contents(all);
  out += "<main>\n" + writer.take() + "</main>\n" + provenance(document.metadata, writer) +
         scripts(writer) + "</body>\n</html>\n";
  return out;
}

}  // namespace fathom::report
