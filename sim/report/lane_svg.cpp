#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/assets.hpp"
#include "report/escape.hpp"
#include "report/lane_plot.hpp"
#include "report/plot_frame.hpp"
#include "report/plot_marks.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

constexpr double kLine = 19;             // from one line of text to the next
constexpr double kLane = 24;             // height of a bar
constexpr double kGap = 6;               // between lanes
constexpr double kWidestName = 210;      // of a lane, in pixels; longer ones end in an ellipsis
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

  double lane_top(std::size_t lane) const {
    return area.top + kGap / 2 + static_cast<double>(lane) * (kLane + kGap);
  }
};

std::string plain(std::string_view text) { return one_line(without_backticks(text)); }

double legend_width(const std::string& group) {
  return 22 + text_width(plain(group), kFontSize) + 18;
}

// As many characters as fit; names of models and hosts may be long.
std::string shortened(const std::string& name, double room, double size) {
  if (text_width(name, size) <= room) return name;
  std::string out = name;
  while (!out.empty() && text_width(out + "…", size) > room) {
    do {
      out.pop_back();
    } while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0U) == 0x80U);
    // the lead byte of a cut character goes too
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0U) out.pop_back();
  }
  return out + "…";
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
  const double lanes = static_cast<double>(plot.lanes.size()) * (kLane + kGap);
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

std::string draw_legend(const LanePlot& plot, const LaneFrame& frame) {
  std::string out;
  double y = frame.legend_top + 8;
  for (const auto& row : frame.legend_rows) {
    double x = 4;
    for (const std::size_t group : row) {
      out += fmt::format(
          "<g class=\"{}\"><rect class=\"span\" x=\"{}\" y=\"{}\" width=\"14\" "
          "height=\"12\"/></g>",
          series_class(group), pixels(x), pixels(y - 6));
      out += text_at(x + 20, y + 4, "tick", plot.groups[group]);
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
    const std::string name = shortened(plain(plot.lanes[i]), area.left - 12, kFontSize);
    out += text_at(area.left - 7, frame.lane_top(i) + kLane / 2 + 4, "tick end", name);
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
      width < 3 ? " thin" : "", left, pixels(top), width, pixels(kLane),
      bar.anchor.empty() ? "" : fmt::format(" data-how=\"{}\"", escape_html(bar.anchor)),
      hover(plot, bar));
  const std::string label = shortened(plain(bar.label), width - 6, kLabelSize);
  if (display_width(label) >= std::min(display_width(plain(bar.label)), kFewest))
    out += text_at(left + 3, top + kLane / 2 + 4, "inside", label);
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
    const double y = frame.lane_top(mark.lane) + kLane / 2;
    out += fmt::format(
        "<g class=\"{}\"><path class=\"dot\" d=\"M{} {}l6 6l-6 6l-6 -6z\"><title>{}\n{}: {}"
        "</title></path></g>\n",
        series_class(mark.group), pixels(x), pixels(y - 6),
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
  const std::string id = escape_html(options.id);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {0} {1}\" "
      "role=\"img\" aria-labelledby=\"{2}-title {2}-desc\"{3}>\n<title id=\"{2}-title\">{4}</title>"
      "\n<desc id=\"{2}-desc\">{5}</desc>\n",
      pixels(frame.width), pixels(frame.height), id,
      options.standalone
          ? fmt::format(" width=\"{}\" height=\"{}\"", pixels(frame.width), pixels(frame.height))
          : "",
      escape_html(without_backticks(plot.title)),
      escape_html(without_backticks(description(plot))));
  if (options.standalone)
    out +=
        fmt::format("<style>{}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
                    assets::plot_css());
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
