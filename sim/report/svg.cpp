#include "report/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <string_view>
#include <vector>

#include "lang/say.hpp"
#include "report/escape.hpp"
#include "report/plot_frame.hpp"
#include "report/plot_marks.hpp"
#include "report/svg_head.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using lang::say;
using lang::tr;

std::string text_at(double x, double y, std::string_view classes, std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\">{}</text>", classes, pixels(x),
                     pixels(y), escape_html(one_line(without_backticks(text))));
}

std::string line_from(double x1, double y1, double x2, double y2, std::string_view classes) {
  return fmt::format("<path class=\"{}\" d=\"M{} {}L{} {}\"/>", classes, pixels(x1), pixels(y1),
                     pixels(x2), pixels(y2));
}

std::string draw_titles(const Plot& plot, const Frame& frame) {
  std::string out;
  double y = 22;
  for (const std::string& line : frame.title_lines) {
    out += text_at(4, y, "title", line);
    y += 19;
  }
  if (const std::string title = axis_title(plot.y); !title.empty()) {
    out += text_at(4, frame.area.top - 10, "axis-title", title);
  }
  if (const std::string title = axis_title(plot.x); !title.empty()) {
    out += text_at(frame.area.right, frame.height - 6, "axis-title end", title);
  }
  return out;
}

std::string draw_legend(const Plot& plot, const Frame& frame) {
  std::string out;
  double y = frame.legend_top + 8;
  for (const auto& row : frame.legend_rows) {
    double x = 4;
    for (const std::size_t index : row) {
      out += legend_sample(plot.series[index], index, x, y);
      out += text_at(x + 26, y + 4, "tick", legend_name(plot.series[index]));
      x += legend_entry_width(plot.series[index]);
    }
    y += 19;
  }
  return out;
}

std::string draw_x_tick(const Plot& plot, const Frame& frame, const Tick& tick) {
  const double x = position(frame.x, tick.value);
  const double y = frame.area.bottom;
  std::string out;
  // A grid line through a bar's middle says nothing.
  if (plot.x.categories.empty() && !has_bars(plot)) {
    out += line_from(x, frame.area.top, x, y, tick.label.empty() ? "grid minor" : "grid");
  }
  if (tick.label.empty()) return out;
  if (!frame.rotate_categories) return out + text_at(x, y + 17, "tick middle", tick.label);
  return out + fmt::format(
                   "<text class=\"tick end\" transform=\"translate({} {})rotate(-40)\">{}"
                   "</text>",
                   pixels(x + 4), pixels(y + 14), escape_html(one_line(tick.label)));
}

std::string draw_grid(const Plot& plot, const Frame& frame) {
  const Box& area = frame.area;
  std::string out;
  for (const Tick& tick : frame.x_ticks) out += draw_x_tick(plot, frame, tick);
  for (const Tick& tick : frame.y_ticks) {
    const double y = position(frame.y, tick.value);
    out += line_from(area.left, y, area.right, y, tick.label.empty() ? "grid minor" : "grid");
    if (!tick.label.empty()) out += text_at(area.left - 7, y + 4, "tick end", tick.label);
  }
  const bool zero_inside = frame.y.kind == AxisScale::linear && frame.y.lo < 0 && frame.y.hi > 0;
  const double base = zero_inside ? position(frame.y, 0) : area.bottom;
  return out + line_from(area.left, base, area.right, base, "axis");
}

// Lines lie under the data, their labels above it.
struct Reference {
  std::string line;
  std::string label;
};

// y = slope · x at a pixel column; needs x back from the pixel, hence the two kinds of scale.
double value_at(const Scale& scale, double share) {
  if (scale.kind == AxisScale::linear) return scale.lo + share * (scale.hi - scale.lo);
  return scale.lo * std::pow(scale.hi / scale.lo, share);
}

// Along the line, ending shortly before it leaves the frame.
std::string label_along(const std::vector<std::array<double, 2>>& visible, const std::string& label,
                        LabelPlacer& placer) {
  if (label.empty() || visible.size() < 2) return {};
  const std::string text = one_line(without_backticks(label));
  const auto& end = visible[visible.size() - 1 - visible.size() / 16];
  const auto& start = visible.front();
  const double angle = std::atan2(end[1] - start[1], end[0] - start[0]);
  const int steps = static_cast<int>(text_width(text, kLabelSize) / kLabelSize);
  for (int step = 0; step <= steps; ++step) {
    const double along = step * static_cast<double>(kLabelSize);
    const double x = end[0] - along * std::cos(angle) + 8 * std::sin(angle);
    const double y = end[1] - along * std::sin(angle) - 8 * std::cos(angle);
    placer.block(Box{x - 6, y - 6, x + 6, y + 6});
  }
  return fmt::format(
      "<text class=\"label end\" transform=\"translate({} {})rotate({})\" dy=\"-5\">{}</text>",
      pixels(end[0]), pixels(end[1]), pixels(angle * 180 / std::numbers::pi), escape_html(text));
}

Reference draw_diagonal(const ReferenceLine& line, const Frame& frame, LabelPlacer& placer) {
  constexpr double highest = std::numeric_limits<double>::max();
  constexpr double lowest = -highest;
  constexpr int kSamples = 64;  // straight unless one axis is logarithmic and the other is not
  std::vector<std::array<double, 2>> visible;
  std::string path;
  for (int i = 0; i <= kSamples; ++i) {
    // Clamped, not skipped: the line must end where it is told to, not at a sample near it.
    const double x = std::clamp(value_at(frame.x, static_cast<double>(i) / kSamples),
                                line.from.value_or(lowest), line.to.value_or(highest));
    if (!can_show(frame.x.kind, x) || !can_show(frame.y.kind, line.value * x)) continue;
    const std::array<double, 2> at = {position(frame.x, x), position(frame.y, line.value * x)};
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", pixels(at[0]), pixels(at[1]));
    if (at[1] >= frame.area.top && at[1] <= frame.area.bottom) visible.push_back(at);
  }
  if (path.empty()) return {};
  return {fmt::format("<path class=\"reference\" d=\"{}\"/>", path),
          label_along(visible, line.label, placer)};
}

// The first of the candidate corners that covers no data; the first of all if none is free.
std::string place_label(const std::string& label, const std::vector<std::array<double, 2>>& corners,
                        LabelPlacer& placer) {
  if (label.empty()) return {};
  const std::string text = one_line(without_backticks(label));
  const double width = text_width(text, kLabelSize);
  const auto box_at = [&](const std::array<double, 2>& corner) {
    return Box{corner[0], corner[1] - kLabelSize, corner[0] + width, corner[1] + 2};
  };
  const auto free = std::ranges::find_if(
      corners, [&](const auto& corner) { return placer.is_free(box_at(corner)); });
  const auto& chosen = free == corners.end() ? corners.front() : *free;
  placer.block(box_at(chosen));
  return text_at(chosen[0], chosen[1], "label", text);
}

Reference draw_horizontal(const ReferenceLine& line, const Frame& frame, LabelPlacer& placer) {
  if (!can_show(frame.y.kind, line.value)) return {};
  const Box& area = frame.area;
  const double y = position(frame.y, line.value);
  if (y < area.top || y > area.bottom) return {};
  const auto x_of = [&frame](double value) {
    return std::clamp(position(frame.x, value), frame.area.left, frame.area.right);
  };
  const double first = line.from ? x_of(*line.from) : area.left;
  const double last = line.to ? x_of(*line.to) : area.right;
  const double right = last - text_width(line.label, kLabelSize) - 4;
  const double left = first + 6;
  const std::string label = place_label(
      line.label, {{right, y - 5}, {left, y - 5}, {right, y + 13}, {left, y + 13}}, placer);
  placer.block(Segment{first, y, last, y});
  return {line_from(first, y, last, y, "reference"), label};
}

Reference draw_vertical(const ReferenceLine& line, const Frame& frame, LabelPlacer& placer) {
  if (!can_show(frame.x.kind, line.value)) return {};
  const Box& area = frame.area;
  const double x = position(frame.x, line.value);
  if (x < area.left || x > area.right) return {};
  const double after = x + 5;
  const double before = x - text_width(line.label, kLabelSize) - 5;
  const double top = area.top + 13;
  const double bottom = area.bottom - 6;
  const std::string label = place_label(
      line.label, {{after, top}, {before, top}, {after, bottom}, {before, bottom}}, placer);
  placer.block(Segment{x, area.top, x, area.bottom});
  return {line_from(x, area.top, x, area.bottom, "reference"), label};
}

Reference draw_reference(const ReferenceLine& line, const Frame& frame, LabelPlacer& placer) {
  switch (line.kind) {
    case ReferenceKind::horizontal:
      return draw_horizontal(line, frame, placer);
    case ReferenceKind::vertical:
      return draw_vertical(line, frame, placer);
    case ReferenceKind::diagonal:
      return draw_diagonal(line, frame, placer);
  }
  return {};
}

std::string draw_notice(const Frame& frame, int missed, bool empty) {
  const Box& area = frame.area;
  if (empty) {
    return text_at((area.left + area.right) / 2, (area.top + area.bottom) / 2, "tick middle",
                   tr("no data"));
  }
  if (missed == 0) return {};
  return text_at(4, frame.height - 6, "notice",
                 missed == 1 ? std::string(tr("1 label without room: hover, or see the data"))
                             : say("{} labels without room: hover, or see the data", missed));
}

}  // namespace

std::string description(const Plot& plot) {
  std::size_t points = 0;
  std::string names;
  for (const Series& series : plot.series) {
    points += series.xs.size();
    if (!series.name.empty()) names += (names.empty() ? "" : ", ") + series.name;
  }
  const std::string what = say("{} over {}; {} series, {} points", axis_title(plot.y),
                               axis_title(plot.x), plot.series.size(), points);
  return names.empty() ? what : fmt::format("{}{}{}", what, tr(": "), names);
}

std::string render_svg(const Plot& plot, const SvgOptions& options) {
  check(plot);
  const Frame frame = lay_out(plot, options.width, options.standalone);
  const std::string id = escape_html(options.id);
  std::string out = svg_head(plot.title, description(plot), frame.width, frame.height, options);
  const Box& area = frame.area;
  out += fmt::format(
      "<clipPath id=\"{}-clip\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>"
      "</clipPath>\n",
      id, pixels(area.left), pixels(area.top - 6), pixels(area.right - area.left),
      pixels(area.bottom - area.top + 7));
  out += draw_titles(plot, frame) + draw_legend(plot, frame) + "\n" + draw_grid(plot, frame) + "\n";

  LabelPlacer placer(area);
  block_data(plot, frame, placer);
  Reference references;
  for (const ReferenceLine& line : plot.references) {
    const Reference drawn = draw_reference(line, frame, placer);
    references.line += drawn.line;
    references.label += drawn.label;
  }
  int missed = 0;
  const std::string labels = references.label + draw_labels(plot, frame, placer, missed);
  const bool empty = std::ranges::all_of(plot.series, [](const Series& s) { return s.xs.empty(); });
  out += fmt::format("<g clip-path=\"url(#{}-clip)\">{}{}</g>\n{}{}</svg>\n", id, references.line,
                     draw_series(plot, frame), labels, draw_notice(frame, missed, empty));
  return out;
}

}  // namespace fathom::report
