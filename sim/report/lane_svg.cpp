#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/escape.hpp"
#include "report/lane_plot.hpp"
#include "report/plot_frame.hpp"
#include "report/plot_marks.hpp"
#include "report/svg_head.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

constexpr double kLine = 19;       // from one line of text to the next
constexpr double kLane = 24;       // height of a bar
constexpr double kGap = 6;         // between lanes
constexpr std::size_t kMany = 24;  // lanes; more than a window holds are thinner
constexpr double kThinLane = 13;
constexpr double kThinGap = 4;
constexpr double kWidestName = 210;      // of a lane, in pixels; longer ones end in an ellipsis
constexpr double kWidestGroup = 400;     // of a group in the legend
constexpr double kTitleCharacters = 74;  // as in plot_frame.cpp
constexpr int kFewest = 4;               // characters of a shortened label that still say something
constexpr double kThinnest = 0.75;       // a bar that is shorter is still seen

struct LaneFrame {
  Scale x;
  Box area;
  double width = 0;
  double height = 0;
  std::vector<std::string> title_lines;
  double legend_top = 0;
  std::vector<std::vector<std::size_t>> legend_rows;  // indices of groups
  std::vector<Tick> ticks;
  double lane = kLane;
  double gap = kGap;

  double lane_top(std::size_t index) const {
    return area.top + gap / 2 + static_cast<double>(index) * (lane + gap);
  }
};

std::string plain(std::string_view text) { return one_line(without_backticks(text)); }

std::string legend_name(const std::string& group) {
  return elided(plain(group), kWidestGroup, kFontSize);
}

double legend_width(const std::string& group) {
  return 22 + text_width(legend_name(group), kFontSize) + 18;
}

Scale x_scale(const LanePlot& plot) {
  std::vector<double> values;
  for (const LaneBar& bar : plot.bars) {
    values.push_back(bar.start);
    values.push_back(bar.start + bar.length);
  }
  for (const LaneMark& mark : plot.marks) values.push_back(mark.at);
  for (const ReferenceLine& line : plot.references) values.push_back(line.value);
  return fit_scale(plot.x, values, false, plot.marks.empty() ? 0.0 : 0.04);
}

void lay_out_legend(const LanePlot& plot, LaneFrame& frame) {
  if (plot.groups.size() < 2) return;
  double used = 0;
  for (std::size_t i = 0; i < plot.groups.size(); ++i) {
    const double width = legend_width(plot.groups[i]);
    if (frame.legend_rows.empty() || used + width > frame.width - 8) {
      frame.legend_rows.emplace_back();
      used = 0;
    }
    frame.legend_rows.back().push_back(i);
    used += width;
  }
}

LaneFrame lay_out(const LanePlot& plot, double width, bool with_title) {
  LaneFrame frame{.x = x_scale(plot), .width = width};
  if (plot.lanes.size() > kMany) {
    frame.lane = kThinLane;
    frame.gap = kThinGap;
  }
  double top = 6;
  if (with_title && !plot.title.empty()) {
    frame.title_lines =
        wrap(without_backticks(plot.title), static_cast<int>(kTitleCharacters * width / 720));
    top += kLine * static_cast<double>(frame.title_lines.size()) + 8;
  }
  lay_out_legend(plot, frame);
  frame.legend_top = top;
  top += kLine * static_cast<double>(frame.legend_rows.size()) + 6;
  const bool labelled_references = std::ranges::any_of(
      plot.references, [](const ReferenceLine& line) { return !line.label.empty(); });
  if (labelled_references) top += kLine;
  double widest = 0;
  for (const std::string& lane : plot.lanes)
    widest = std::max(widest, text_width(plain(lane), kFontSize));
  const double left = std::min(widest, kWidestName) + 12;
  const double lanes = static_cast<double>(plot.lanes.size()) * (frame.lane + frame.gap);
  frame.area = {left, top, width - 26, top + std::max(lanes, kLane)};
  frame.height = frame.area.bottom + kLine + (axis_title(plot.x).empty() ? 0 : kLine) + 6;
  frame.x.pixel_lo = frame.area.left;
  frame.x.pixel_hi = frame.area.right;
  frame.ticks = ticks(frame.x, 6);
  return frame;
}

std::string text_at(double x, double y, std::string_view classes, std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\">{}</text>", classes, pixels(x),
                     pixels(y), escape_html(plain(text)));
}

constexpr std::string_view kDiamond = "l6 6l-6 6l-6 -6z";

// What stands for a group: a bar, or the mark where it has nothing else.
std::string legend_sign(const LanePlot& plot, std::size_t group, double x, double y) {
  const bool barred = std::ranges::find(plot.bars, group, &LaneBar::group) != plot.bars.end();
  const bool marked = std::ranges::find(plot.marks, group, &LaneMark::group) != plot.marks.end();
  const std::string sign =
      !barred && marked
          ? fmt::format("<path class=\"dot\" d=\"M{} {}{}\"/>", pixels(x + 7), pixels(y - 6),
                        kDiamond)
          : fmt::format("<rect class=\"span\" x=\"{}\" y=\"{}\" width=\"14\" height=\"12\"/>",
                        pixels(x), pixels(y - 6));
  return fmt::format("<g class=\"{}\">{}</g>", series_class(group), sign);
}

std::string draw_legend(const LanePlot& plot, const LaneFrame& frame) {
  std::string out;
  double y = frame.legend_top + 8;
  for (const auto& row : frame.legend_rows) {
    double x = 4;
    for (const std::size_t group : row) {
      out += legend_sign(plot, group, x, y);
      out += text_at(x + 20, y + 4, "tick", legend_name(plot.groups[group]));
      x += legend_width(plot.groups[group]);
    }
    y += kLine;
  }
  return out;
}

std::string draw_axes(const LanePlot& plot, const LaneFrame& frame) {
  const Box& area = frame.area;
  std::string out;
  for (const Tick& tick : frame.ticks) {
    const double x = position(frame.x, tick.value);
    out += fmt::format("<path class=\"{}\" d=\"M{} {}V{}\"/>",
                       tick.label.empty() ? "grid minor" : "grid", pixels(x), pixels(area.top),
                       pixels(area.bottom));
    if (!tick.label.empty()) out += text_at(x, area.bottom + 17, "tick middle", tick.label);
  }
  for (std::size_t i = 0; i < plot.lanes.size(); ++i) {
    const std::string name = elided(plain(plot.lanes[i]), area.left - 12, kFontSize);
    out += text_at(area.left - 7, frame.lane_top(i) + frame.lane / 2 + 4, "tick end", name);
  }
  if (const std::string title = axis_title(plot.x); !title.empty())
    out += text_at(area.right, frame.height - 6, "axis-title end", title);
  return out;
}

std::string with_unit(double value, const std::string& unit) {
  const std::string text = format_significant(value, 4);
  return unit.empty() ? text : text + " " + unit;
}

// Its first line is the head of what pointing at a bar shows, the others are "name: value".
std::string hover(const LanePlot& plot, const LaneBar& bar) {
  const std::string head = bar.label.empty() ? plot.lanes[bar.lane] : bar.label;
  std::string out = "<title>" + escape_html(plain(head));
  const auto line = [&](const std::string& name, const std::string& text) {
    out += "\n" + escape_html(plain(lang::say("{}: {}", name, text)));
  };
  if (!bar.label.empty()) line(plot.lane_label, plot.lanes[bar.lane]);
  if (plot.groups.size() > 1) line("kind", plot.groups[bar.group]);
  line("from", with_unit(bar.start, plot.x.unit));
  line("to", with_unit(bar.start + bar.length, plot.x.unit));
  line("length", with_unit(bar.length, plot.x.unit));
  for (const Fact& fact : bar.facts) line(fact.name, fact.text);
  return out + "</title>";
}

std::string draw_bar(const LanePlot& plot, const LaneBar& bar, const LaneFrame& frame) {
  const double end = bar.start + bar.length;
  if (!can_show(plot.x.scale, bar.start) || !can_show(plot.x.scale, end)) return {};
  const double a = std::clamp(position(frame.x, bar.start), frame.area.left, frame.area.right);
  const double b = std::clamp(position(frame.x, end), frame.area.left, frame.area.right);
  const double left = std::min(a, b);
  const double width = std::max(kThinnest, std::abs(a - b));
  const double top = frame.lane_top(bar.lane);
  std::string out = fmt::format(
      "<rect class=\"span{}\" x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\"{}>{}</rect>",
      width < 3 ? " thin" : "", left, pixels(top), width, pixels(frame.lane),
      bar.anchor.empty() ? "" : fmt::format(" data-how=\"{}\"", escape_html(bar.anchor)),
      hover(plot, bar));
  if (bar.label.empty()) return out;
  const std::string label = elided(plain(bar.label), width - 6, kLabelSize);
  if (display_width(label) >= std::min(display_width(plain(bar.label)), kFewest))
    out += text_at(left + 3, top + frame.lane / 2 + 4, "inside", label);
  return out;
}

std::string draw_bars(const LanePlot& plot, const LaneFrame& frame) {
  std::string out;
  for (const LaneBar& bar : plot.bars) {
    const std::string drawn = draw_bar(plot, bar, frame);
    if (!drawn.empty())
      out += fmt::format("<g class=\"{}\">{}</g>\n", series_class(bar.group), drawn);
  }
  for (const LaneMark& mark : plot.marks) {
    if (!can_show(plot.x.scale, mark.at)) continue;
    const double x = position(frame.x, mark.at);
    const double y = frame.lane_top(mark.lane) + frame.lane / 2;
    out += fmt::format(
        "<g class=\"{}\"><path class=\"dot\" d=\"M{} {}{}\"><title>{}\n{}: {}"
        "</title></path></g>\n",
        series_class(mark.group), pixels(x), pixels(y - 6), kDiamond,
        escape_html(plain(plot.lanes[mark.lane])), escape_html(plain(plot.groups[mark.group])),
        escape_html(with_unit(mark.at, plot.x.unit)));
  }
  return out;
}

std::string draw_references(const LanePlot& plot, const LaneFrame& frame) {
  std::string out;
  double free_from = 0;
  for (const ReferenceLine& line : plot.references) {
    if (!can_show(plot.x.scale, line.value)) continue;
    const double x = position(frame.x, line.value);
    if (x < frame.area.left - 0.5 || x > frame.area.right + 0.5) continue;
    out += fmt::format("<path class=\"reference\" d=\"M{} {}V{}\"/>", pixels(x),
                       pixels(frame.area.top - 4), pixels(frame.area.bottom));
    const double width = text_width(plain(line.label), kLabelSize);
    const double left = std::clamp(x - width / 2, 4.0, std::max(4.0, frame.width - 4 - width));
    if (line.label.empty() || left < free_from) continue;
    out += text_at(left, frame.area.top - 8, "label", line.label);
    free_from = left + width + 6;
  }
  return out;
}

}  // namespace

std::string render_svg(const LanePlot& plot, const SvgOptions& options) {
  check(plot);
  const LaneFrame frame = lay_out(plot, options.width, options.standalone);
  std::string out = svg_head(plot.title, description(plot), frame.width, frame.height, options);
  double y = 22;
  for (const std::string& line : frame.title_lines) {
    out += text_at(4, y, "title", line);
    y += kLine;
  }
  out += draw_legend(plot, frame) + "\n" + draw_axes(plot, frame) + "\n" + draw_bars(plot, frame) +
         draw_references(plot, frame);
  if (plot.bars.empty() && plot.marks.empty())
    out += text_at((frame.area.left + frame.area.right) / 2, frame.area.top + kLane / 2 + 4,
                   "tick middle", "no data");
  return out + "</svg>\n";
}

}  // namespace fathom::report
