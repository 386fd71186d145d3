#include "report/lane_plot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "lang/say.hpp"

namespace fathom::report {
namespace {

bool any_label(const LanePlot& plot) {
  return std::ranges::any_of(plot.bars, [](const LaneBar& bar) { return !bar.label.empty(); });
}

// In the order of their first appearance.
std::vector<std::string> fact_names(const LanePlot& plot) {
  std::vector<std::string> names;
  for (const LaneBar& bar : plot.bars) {
    for (const Fact& fact : bar.facts) {
      if (std::ranges::find(names, fact.name) == names.end()) names.push_back(fact.name);
    }
  }
  return names;
}

std::string fact_text(const LaneBar& bar, const std::string& name) {
  const auto fact = std::ranges::find(bar.facts, name, &Fact::name);
  return fact == bar.facts.end() ? "" : fact->text;
}

// What all rows have in common: where, which colour, what.
struct RowHead {
  const LanePlot& plot;
  bool grouped = false;
  bool labelled = false;

  std::vector<Cell> of(std::size_t lane, std::size_t group, const std::string& label) const {
    std::vector<Cell> row{plot.lanes[lane]};
    if (labelled) row.emplace_back(label);
    if (grouped) row.emplace_back(plot.groups[group]);
    return row;
  }
};

}  // namespace

void check(const LanePlot& plot) {
  const auto placed = [&](std::size_t lane, std::size_t group) {
    FATHOM_EXPECT(lane < plot.lanes.size(), "a bar or mark stands in a lane of its plot");
    FATHOM_EXPECT(group < plot.groups.size(), "a bar or mark has a group of its plot");
  };
  for (const LaneBar& bar : plot.bars) placed(bar.lane, bar.group);
  for (const LaneMark& mark : plot.marks) placed(mark.lane, mark.group);
  for (const ReferenceLine& line : plot.references)
    FATHOM_EXPECT(line.kind == ReferenceKind::vertical, "a reference across lanes is vertical");
}

Table data_table(const LanePlot& plot) {
  check(plot);
  if (plot.data) return *plot.data;
  const RowHead head{plot, plot.groups.size() > 1, any_label(plot)};
  const std::vector<std::string> names = fact_names(plot);
  Table table{.title = plot.title, .columns = {text_column(plot.lane_label)}};
  if (head.labelled) table.columns.push_back(text_column("what"));
  if (head.grouped) table.columns.push_back(text_column("kind"));
  table.columns.push_back(number_column("from", plot.x.unit));
  table.columns.push_back(number_column("to", plot.x.unit));
  for (const std::string& name : names) table.columns.push_back(text_column(name));
  for (const LaneBar& bar : plot.bars) {
    std::vector<Cell> row = head.of(bar.lane, bar.group, bar.label);
    row.emplace_back(bar.start);
    row.emplace_back(bar.start + bar.length);
    for (const std::string& name : names) row.emplace_back(fact_text(bar, name));
    table.rows.push_back(std::move(row));
  }
  for (const LaneMark& mark : plot.marks) {
    std::vector<Cell> row = head.of(mark.lane, mark.group, "");
    row.insert(row.end(), 2, Cell{mark.at});
    row.insert(row.end(), names.size(), Cell{""});
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string description(const LanePlot& plot) {
  return lang::say("{}; lanes: {}; {} bars: {}", axis_title(plot.x),
                   fmt::format("{}", fmt::join(plot.lanes, ", ")), plot.bars.size(),
                   fmt::format("{}", fmt::join(plot.groups, ", ")));
}

}  // namespace fathom::report
