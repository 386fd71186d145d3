#include "report/in_language.hpp"

#include "lang/language.hpp"

namespace fathom::report {
namespace {

void turn(std::string& text) {
  if (!text.empty()) text = std::string(lang::tr(text));
}

// CSV has the value, readers see what is shown of it.
void turn(Cell& cell) {
  const auto* text = std::get_if<std::string>(&cell.value);
  if (text != nullptr && cell.shown.empty() && lang::tr(*text) != *text) cell.shown = *text;
  turn(cell.shown);
}

// CSV keeps the keys of the English headers.
void turn(Table& table) {
  const std::vector<std::string> keys = column_keys(table);
  turn(table.title);
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    Column& column = table.columns[i];
    column.key = keys[i];
    turn(column.header);
    turn(column.unit);
  }
  for (auto& row : table.rows) {
    for (Cell& cell : row) turn(cell);
  }
}

void turn(Axis& axis) {
  turn(axis.label);
  turn(axis.unit);
  for (std::string& category : axis.categories) turn(category);
}

void turn(std::vector<Block>& blocks);

struct Turner {
  void operator()(Heading& heading) const { turn(heading.text); }
  void operator()(Paragraph& paragraph) const { turn(paragraph.text); }
  void operator()(Note& note) const { turn(note.text); }
  void operator()(Table& table) const { turn(table); }
  void operator()(Plot& plot) const {
    plot.data = data_table(plot);
    turn(*plot.data);
    turn(plot.title);
    turn(plot.note);
    turn(plot.x);
    turn(plot.y);
    for (Series& series : plot.series) {
      turn(series.name);
      for (std::string& label : series.labels) turn(label);
    }
    for (ReferenceLine& line : plot.references) turn(line.label);
  }
  void operator()(LanePlot& plot) const {
    plot.data = data_table(plot);
    turn(*plot.data);
    turn(plot.title);
    turn(plot.note);
    turn(plot.x);
    turn(plot.lane_label);
    for (std::string& lane : plot.lanes) turn(lane);
    for (std::string& group : plot.groups) turn(group);
    for (LaneBar& bar : plot.bars) {
      turn(bar.label);
      for (Fact& fact : bar.facts) {
        turn(fact.name);
        turn(fact.text);
      }
    }
    for (ReferenceLine& line : plot.references) turn(line.label);
  }
  void operator()(Workings& workings) const {
    turn(workings.summary);
    for (Working& working : workings.items) {
      turn(working.name);
      for (WorkingLine& line : working.lines) {
        turn(line.term);
        turn(line.text);
      }
    }
  }
  void operator()(KeyFigures& key) const {
    for (KeyFigure& figure : key.figures) {
      turn(figure.label);
      turn(figure.value);
      turn(figure.unit);
      turn(figure.detail);
    }
  }
  void operator()(CodeBlock&) const {}
  void operator()(Details& details) const {
    turn(details.summary);
    turn(details.blocks);
  }
  void operator()(WhatIf& block) const {
    for (WhatIfSlider& slider : block.sliders) {
      turn(slider.label);
      turn(slider.unit);
    }
    for (WhatIfFigure& figure : block.figures) {
      turn(figure.label);
      turn(figure.unit);
    }
  }
  void operator()(PointSet& points) const {
    turn(points.note);
    for (PointColumn& column : points.columns) {
      turn(column.header);
      for (std::string& text : column.texts) turn(text);
    }
  }
};

void turn(std::vector<Block>& blocks) {
  for (Block& block : blocks) std::visit(Turner{}, block.content);
}

// An anchor is made of the English heading, before that is gone.
void keep_anchors(std::vector<Block>& blocks, const std::vector<Section>& sections,
                  std::size_t& next) {
  for (Block& block : blocks) {
    if (auto* heading = std::get_if<Heading>(&block.content)) {
      heading->anchor = sections[next++].anchor;
    } else if (auto* details = std::get_if<Details>(&block.content)) {
      keep_anchors(details->blocks, sections, next);
    }
  }
}

}  // namespace

Document in_language(Document document) {
  if (lang::spoken() == lang::Language::english) return document;
  std::size_t next = 0;
  keep_anchors(document.blocks, sections(document), next);
  turn(document.title);
  turn(document.finding);
  turn(document.blocks);
  return document;
}

}  // namespace fathom::report
