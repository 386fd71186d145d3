#include "report/plot_frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/text.hpp"

namespace fathom::report {
namespace {

constexpr double kAreaHeight = 320;
constexpr double kLine = 19;             // from one line of text to the next
constexpr double kTitleCharacters = 74;  // bold at 15 px over 720 px, in the widest fallback font
constexpr double kWidestName = 260;      // of a category or series, in pixels
constexpr double kSlant = 0.64;          // sine of the 40 degrees category names turn by
constexpr double kSlantRun = 0.77;       // and its cosine

bool is_bars(const Series& series) { return series.kind == SeriesKind::bars; }
bool is_area(const Series& series) { return series.kind == SeriesKind::area; }
bool has_markers(const Series& series) {
  return series.kind == SeriesKind::points || series.kind == SeriesKind::line_points;
}

double smallest_gap(std::vector<double> xs) {
  std::ranges::sort(xs);
  double gap = 0;
  for (std::size_t i = 1; i < xs.size(); ++i) {
    const double step = xs[i] - xs[i - 1];
    if (step > 0 && (gap == 0 || step < gap)) gap = step;
  }
  return gap == 0 ? 1.0 : gap;
}

Scale x_scale(const Plot& plot) {
  if (!plot.x.categories.empty()) {
    return {.lo = -0.5, .hi = static_cast<double>(plot.x.categories.size()) - 0.5};
  }
  std::vector<double> values;
  std::vector<double> bar_xs;
  for (const Series& series : plot.series) {
    values.insert(values.end(), series.xs.begin(), series.xs.end());
    if (is_bars(series)) bar_xs.insert(bar_xs.end(), series.xs.begin(), series.xs.end());
  }
  for (const ReferenceLine& line : plot.references) {
    if (line.kind == ReferenceKind::vertical) values.push_back(line.value);
  }
  if (!bar_xs.empty() && plot.x.scale == AxisScale::linear) {
    const double half = smallest_gap(bar_xs) / 2;
    for (const double x : bar_xs) {
      values.push_back(x - half);
      values.push_back(x + half);
    }
  }
  // Lines may touch the frame, markers should not.
  const bool markers = std::ranges::any_of(plot.series, has_markers);
  const bool log_bars = !bar_xs.empty() && plot.x.scale != AxisScale::linear;
  return fit_scale(plot.x, values, false, log_bars ? 0.1 : markers ? 0.04 : 0.0);
}

Scale y_scale(const Plot& plot) {
  const auto bases = stack_bases(plot);
  std::vector<double> values;
  bool lengths = false;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    lengths = lengths || is_bars(series) || is_area(series);
    for (std::size_t k = 0; k < series.ys.size(); ++k) {
      values.push_back(bases[i][k] + series.ys[k]);
    }
  }
  for (const ReferenceLine& line : plot.references) {
    if (line.kind == ReferenceKind::horizontal) values.push_back(line.value);
  }
  return fit_scale(plot.y, values, lengths, 0.06);
}

void lay_out_legend(const Plot& plot, Frame& frame) {
  const auto named = [](const Series& series) { return !series.name.empty(); };
  if (plot.series.size() < 2 || std::ranges::none_of(plot.series, named)) return;
  double used = 0;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (!named(plot.series[i])) continue;
    const double width = legend_entry_width(plot.series[i]);
    if (frame.legend_rows.empty() || used + width > frame.width - 8) {
      frame.legend_rows.emplace_back();
      used = 0;
    }
    frame.legend_rows.back().push_back(i);
    used += width;
  }
}

std::vector<Tick> category_ticks(const Plot& plot) {
  std::vector<Tick> out;
  for (const std::string& category : plot.x.categories) {
    out.push_back(
        {static_cast<double>(out.size()), elided(one_line(category), kWidestName, kFontSize)});
  }
  return out;
}

double widest_label(const std::vector<Tick>& all) {
  double widest = 0;
  for (const Tick& tick : all) widest = std::max(widest, text_width(tick.label, kFontSize));
  return widest;
}

}  // namespace

std::vector<std::vector<double>> stack_bases(const Plot& plot) {
  std::vector<std::vector<double>> bases;
  std::vector<double> top;
  for (const Series& series : plot.series) {
    top.resize(std::max(top.size(), series.ys.size()), 0.0);
    const bool stands = plot.stacked && (is_bars(series) || is_area(series));
    bases.push_back(stands ? top : std::vector<double>(series.ys.size(), 0.0));
    for (std::size_t k = 0; stands && k < series.ys.size(); ++k) {
      if (std::isfinite(series.ys[k])) top[k] += series.ys[k];
    }
  }
  return bases;
}

std::string legend_name(const Series& series) {
  return elided(one_line(without_backticks(series.name)), kWidestName, kFontSize);
}

double legend_entry_width(const Series& series) {
  return 26 + text_width(legend_name(series), kFontSize) + 18;
}

std::string pixels(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

bool has_bars(const Plot& plot) { return std::ranges::any_of(plot.series, is_bars); }

Frame lay_out(const Plot& plot, double width, bool with_title) {
  Frame frame{.x = x_scale(plot), .y = y_scale(plot), .width = width};
  double top = 6;
  if (with_title && !plot.title.empty()) {
    const auto characters = static_cast<int>(kTitleCharacters * width / 720);
    frame.title_lines = wrap(without_backticks(plot.title), characters);
    top += kLine * static_cast<double>(frame.title_lines.size()) + 8;
  }
  lay_out_legend(plot, frame);
  frame.legend_top = top;
  top += kLine * static_cast<double>(frame.legend_rows.size());
  if (!frame.legend_rows.empty()) top += 4;
  if (!axis_title(plot.y).empty()) top += kLine;

  frame.y_ticks = ticks(frame.y, 6);
  double left = std::max(34.0, widest_label(frame.y_ticks) + 12);
  double bottom = kLine + (axis_title(plot.x).empty() ? 0 : kLine) + 6;
  const double right = width - 26;  // half of "1,000,000" below the last tick
  if (plot.x.categories.empty()) {
    frame.x_ticks = ticks(frame.x, 7);
  } else {
    frame.x_ticks = category_ticks(plot);
    const double step = (right - left) / static_cast<double>(frame.x_ticks.size());
    const double widest = widest_label(frame.x_ticks);
    frame.rotate_categories = widest > step - 4;
    if (frame.rotate_categories) {
      bottom += kSlant * widest;
      left = std::max(left, kSlantRun * widest - step / 2 + 8);
    }
  }
  frame.area = {left, top + 4, right, top + 4 + kAreaHeight};
  frame.height = frame.area.bottom + bottom;
  frame.x.pixel_lo = left;
  frame.x.pixel_hi = right;
  frame.y.pixel_lo = frame.area.bottom;
  frame.y.pixel_hi = frame.area.top;
  return frame;
}

}  // namespace fathom::report
