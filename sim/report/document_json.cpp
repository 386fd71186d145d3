#include "report/document_json.hpp"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/json_io.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using nlohmann::json;

json number_json(double value) {
  // Whole numbers print as integers: 4096, not 4096.0. Beyond 2^53 neighbours would merge.
  constexpr double kExactIntegers = 9007199254740992.0;
  if (!std::isfinite(value)) return exact_number(value);
  const bool negative_zero = value == 0 && std::signbit(value);
  if (value == std::trunc(value) && std::abs(value) <= kExactIntegers && !negative_zero) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

json numbers_json(const std::vector<double>& values) {
  json out = json::array();
  for (const double value : values) out.push_back(number_json(value));
  return out;
}

json texts_json(const std::vector<std::string>& texts) {
  json out = json::array();
  for (const std::string& text : texts) out.push_back(clean(text));
  return out;
}

json value_json(const Cell& cell) {
  if (const double* value = number(cell)) return number_json(*value);
  return clean(std::get<std::string>(cell.value));
}

// A plain cell is its value; one with a mark or its own wording is an object.
json cell_json(const Cell& cell) {
  if (cell.mark == Mark::none && cell.shown.empty()) return value_json(cell);
  json out{{"value", value_json(cell)}};
  if (cell.mark != Mark::none) out["mark"] = cell.mark == Mark::best ? "best" : "bound";
  if (!cell.shown.empty()) out["shown"] = clean(cell.shown);
  return out;
}

json axis_json(const Axis& axis) {
  const char* scale = axis.scale == AxisScale::linear ? "linear"
                      : axis.scale == AxisScale::log  ? "log"
                                                      : "log2";
  json out{{"label", clean(axis.label)}, {"unit", clean(axis.unit)}, {"scale", scale}};
  if (axis.min) out["min"] = number_json(*axis.min);
  if (axis.max) out["max"] = number_json(*axis.max);
  if (!axis.categories.empty()) out["categories"] = texts_json(axis.categories);
  return out;
}

json series_json(const Series& series) {
  json out{{"name", clean(series.name)},
           {"kind", name(series.kind)},
           {"xs", numbers_json(series.xs)},
           {"ys", numbers_json(series.ys)}};
  if (!series.labels.empty()) out["labels"] = texts_json(series.labels);
  return out;
}

json reference_json(const ReferenceLine& line) {
  const char* kind = line.kind == ReferenceKind::horizontal ? "horizontal"
                     : line.kind == ReferenceKind::vertical ? "vertical"
                                                            : "diagonal";
  json out{{"kind", kind}, {"value", number_json(line.value)}, {"label", clean(line.label)}};
  if (line.from) out["from"] = number_json(*line.from);
  if (line.to) out["to"] = number_json(*line.to);
  return out;
}

json blocks_json(const std::vector<Block>& blocks);

struct ToJson {
  json operator()(const Heading& block) const {
    json out{{"type", "heading"}, {"level", block.level}, {"text", clean(block.text)}};
    if (!block.anchor.empty()) out["anchor"] = clean(block.anchor);
    return out;
  }
  json operator()(const Paragraph& block) const {
    return {{"type", "paragraph"}, {"text", clean(block.text)}};
  }
  json operator()(const Note& block) const {
    return {{"type", "note"}, {"kind", slug(name(block.kind), '_')}, {"text", clean(block.text)}};
  }
  json operator()(const Table& block) const {
    json out = to_json(block);
    out["type"] = "table";
    return out;
  }
  json operator()(const Plot& block) const {
    json out = to_json(block);
    out["type"] = "plot";
    return out;
  }
  json operator()(const LanePlot& block) const {
    json out = to_json(block);
    out["type"] = "lanes";
    return out;
  }
  json operator()(const Workings& block) const {
    json items = json::array();
    for (const Working& working : block.items) {
      json lines = json::array();
      for (const WorkingLine& line : working.lines)
        lines.push_back({{"term", clean(line.term)}, {"text", clean(line.text)}});
      items.push_back({{"anchor", clean(working.anchor)},
                       {"name", clean(working.name)},
                       {"lines", std::move(lines)}});
    }
    return {{"type", "workings"}, {"summary", clean(block.summary)}, {"items", items}};
  }
  json operator()(const KeyFigures& block) const {
    json figures = json::array();
    for (const KeyFigure& figure : block.figures) {
      figures.push_back({{"label", clean(figure.label)},
                         {"value", cell_json(figure.value)},
                         {"unit", clean(figure.unit)},
                         {"detail", clean(figure.detail)}});
    }
    return {{"type", "key_figures"}, {"figures", figures}};
  }
  json operator()(const CodeBlock& block) const {
    return {{"type", "code"}, {"language", clean(block.language)}, {"text", clean(block.text)}};
  }
  json operator()(const PointSet& block) const { return (*this)(Paragraph{block.note}); }
  json operator()(const WhatIf& block) const { return (*this)(Paragraph{what_if_text(block)}); }
  json operator()(const Details& block) const {
    return {{"type", "details"},
            {"summary", clean(block.summary)},
            {"blocks", blocks_json(block.blocks)}};
  }
};

json blocks_json(const std::vector<Block>& blocks) {
  json out = json::array();
  for (const Block& block : blocks) out.push_back(std::visit(ToJson{}, block.content));
  return out;
}

}  // namespace

json to_json(const Table& table) {
  check(table);
  const std::vector<std::string> keys = column_keys(table);
  json columns = json::array();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Column& column = table.columns[i];
    columns.push_back({{"key", keys[i]},
                       {"header", clean(column.header)},
                       {"unit", clean(column.unit)},
                       {"align", column.align == Align::left ? "left" : "right"},
                       {"format", name(column.format)}});
  }
  json rows = json::array();
  for (const auto& row : table.rows) {
    json cells = json::array();
    for (const Cell& cell : row) cells.push_back(cell_json(cell));
    rows.push_back(std::move(cells));
  }
  return {{"title", clean(table.title)}, {"columns", columns}, {"rows", rows}};
}

json to_json(const Plot& plot) {
  check(plot);
  json series = json::array();
  for (const Series& one : plot.series) series.push_back(series_json(one));
  json references = json::array();
  for (const ReferenceLine& line : plot.references) references.push_back(reference_json(line));
  return {{"title", clean(plot.title)}, {"x", axis_json(plot.x)},   {"y", axis_json(plot.y)},
          {"series", series},           {"references", references}, {"stacked", plot.stacked},
          {"note", clean(plot.note)}};
}

json to_json(const LanePlot& plot) {
  check(plot);
  json bars = json::array();
  for (const LaneBar& bar : plot.bars) {
    json facts = json::array();
    for (const Fact& fact : bar.facts)
      facts.push_back({{"name", clean(fact.name)}, {"text", clean(fact.text)}});
    bars.push_back({{"lane", bar.lane},
                    {"group", bar.group},
                    {"start", number_json(bar.start)},
                    {"length", number_json(bar.length)},
                    {"label", clean(bar.label)},
                    {"facts", std::move(facts)}});
  }
  json marks = json::array();
  for (const LaneMark& mark : plot.marks)
    marks.push_back({{"lane", mark.lane}, {"group", mark.group}, {"at", number_json(mark.at)}});
  json references = json::array();
  for (const ReferenceLine& line : plot.references) references.push_back(reference_json(line));
  return {{"title", clean(plot.title)},
          {"x", axis_json(plot.x)},
          {"lane_label", clean(plot.lane_label)},
          {"lanes", texts_json(plot.lanes)},
          {"groups", texts_json(plot.groups)},
          {"bars", bars},
          {"marks", marks},
          {"references", references},
          {"note", clean(plot.note)}};
}

json to_json(const Document& document) {
  json inputs = json::array();
  for (const Input& input : document.metadata.inputs) {
    inputs.push_back({{"name", clean(input.name)}, {"hash", clean(input.hash)}});
  }
  return {{"title", clean(document.title)},
          {"finding", clean(document.finding)},
          {"metadata",
           {{"version", clean(document.metadata.version)},
            {"command", clean(document.metadata.command)},
            {"inputs", inputs}}},
          {"blocks", blocks_json(document.blocks)}};
}

std::string render_json(const Document& document) { return dump_json(to_json(document)); }

}  // namespace fathom::report
