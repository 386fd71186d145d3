#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/plot.hpp"
#include "report/svg.hpp"
#include "report/table.hpp"

namespace fathom::report {

/// What pointing at a bar says beside its place: "bound", "memory".
struct Fact {
  std::string name;
  std::string text;
  bool operator==(const Fact&) const = default;
};

struct LaneBar {
  std::size_t lane = 0;  ///< index into the plot's lanes
  double start = 0;
  double length = 0;      ///< negative: towards the left
  std::size_t group = 0;  ///< index into the plot's groups, which choose the colour
  std::string label;      ///< drawn where it fits
  std::vector<Fact> facts;
  std::string anchor;  ///< of the working (report/workings.hpp) that it leads to; may be empty
  bool operator==(const LaneBar&) const = default;
};

/// A point on a lane: the published value beside the bar of the predicted interval.
struct LaneMark {
  std::size_t lane = 0;
  double at = 0;
  std::size_t group = 0;
  bool operator==(const LaneMark&) const = default;
};

/// Horizontal bars in named lanes: a timeline, a flame graph (a lane per level), stacks, a tornado,
/// intervals. Bars of a lane may touch or overlap.
struct LanePlot {
  std::string title;  ///< states the finding
  Axis x;
  std::string lane_label;  ///< what a lane is: "rank class"
  std::vector<std::string> lanes;
  std::vector<std::string> groups;
  std::vector<LaneBar> bars;
  std::vector<LaneMark> marks;
  std::vector<ReferenceLine> references;  ///< vertical ones
  std::string note;
  std::optional<Table> data = {};  ///< what data_table() answers, where the bars do not say it all
  bool operator==(const LanePlot&) const = default;
};

/// BugError for a bar or mark of no lane or group, and for a reference that is not vertical.
void check(const LanePlot& plot);

/// The numbers behind it: a row per bar, then one per mark.
Table data_table(const LanePlot& plot);

/// For whoever cannot see it.
std::string description(const LanePlot& plot);

/// One SVG element; every bar and mark carries its numbers as a <title>, shown on hover.
std::string render_svg(const LanePlot& plot, const SvgOptions& options = {});

}  // namespace fathom::report
