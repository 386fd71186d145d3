#include "report/plot_marks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/si_format.hpp"
#include "report/escape.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

constexpr std::size_t kPalette = 8;  // colours in assets/plot.css
constexpr double kRadius = 4;
constexpr double kWidestBar = 56;
constexpr int kMostLabels = 400;  // placing is quadratic, and nobody reads more

struct Pixel {
  double x = 0;
  double y = 0;
};

bool drawable(const Plot& plot, double x, double y) {
  return can_show(plot.x.scale, x) && can_show(plot.y.scale, y);
}

bool within(const Frame& frame, Pixel at) {
  const Box& area = frame.area;
  return at.x >= area.left - 0.5 && at.x <= area.right + 0.5 && at.y >= area.top - 0.5 &&
         at.y <= area.bottom + 0.5;
}

std::string number_for_hover(double value) {
  const bool whole = value == std::trunc(value) && std::abs(value) < 1e7;
  return whole ? format_count(std::llround(value)) : format_significant(value);
}

std::string with_unit(const std::string& text, const std::string& unit) {
  return unit.empty() ? text : text + " " + unit;
}

std::string hover(const Plot& plot, const Series& series, std::size_t i) {
  const double x = series.xs[i];
  const auto category = static_cast<std::size_t>(std::max(0.0, x));
  const std::string at = category < plot.x.categories.size()
                             ? plot.x.categories[category]
                             : with_unit(number_for_hover(x), plot.x.unit);
  std::string head = series.labels.empty() ? "" : series.labels[i];
  if (!series.name.empty()) head += (head.empty() ? "" : ", ") + series.name;
  if (!head.empty()) head += ": ";
  const std::string text =
      head + at + ", " + with_unit(number_for_hover(series.ys[i]), plot.y.unit);
  return "<title>" + escape_html(without_backticks(text)) + "</title>";
}

// Shape doubles colour, so that points stay distinct in print and for every eye.
std::string marker_path(std::size_t index, Pixel at) {
  const double r = kRadius;
  switch (index % 5) {
    case 1:
      return fmt::format("M{} {}h{}v{}h-{}z", pixels(at.x - r), pixels(at.y - r), pixels(2 * r),
                         pixels(2 * r), pixels(2 * r));
    case 2:
      return fmt::format("M{} {}l5 9h-10z", pixels(at.x), pixels(at.y - 5.5));
    case 3:
      return fmt::format("M{} {}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", pixels(at.x), pixels(at.y - 5.5));
    case 4:
      return fmt::format("M{} {}l5 -9h-10z", pixels(at.x), pixels(at.y + 5.5));
    default:
      return fmt::format("M{} {}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", pixels(at.x - r), pixels(at.y));
  }
}

std::vector<Pixel> step_corners(const std::vector<Pixel>& run) {
  std::vector<Pixel> out;
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (i > 0) out.push_back({run[i].x, run[i - 1].y});
    out.push_back(run[i]);
  }
  return out;
}

// Maximal runs of drawable points: a gap in the data is a gap in the line.
std::vector<std::vector<Pixel>> runs(const Plot& plot, const Series& series, const Frame& frame,
                                     const std::vector<double>& base) {
  std::vector<std::vector<Pixel>> out(1);
  for (std::size_t i = 0; i < series.xs.size(); ++i) {
    const double y = base[i] + series.ys[i];
    if (!drawable(plot, series.xs[i], y)) {
      if (!out.back().empty()) out.emplace_back();
      continue;
    }
    out.back().push_back({position(frame.x, series.xs[i]), position(frame.y, y)});
  }
  if (out.back().empty()) out.pop_back();
  if (series.kind == SeriesKind::step) {
    for (auto& run : out) run = step_corners(run);
  }
  return out;
}

std::string path_through(const std::vector<Pixel>& run) {
  std::string out;
  for (const Pixel at : run) {
    out += fmt::format("{}{} {}", out.empty() ? "M" : "L", pixels(at.x), pixels(at.y));
  }
  return out;
}

std::string draw_lines(const Plot& plot, const Series& series, const Frame& frame,
                       const std::vector<double>& base) {
  std::string out;
  for (const auto& run : runs(plot, series, frame, base)) {
    out += fmt::format("<path class=\"line\" d=\"{}\"/>", path_through(run));
  }
  return out;
}

// Down to the series below when stacked, else to zero or the axis.
std::string draw_area(const Plot& plot, const Series& series, const Frame& frame,
                      const std::vector<double>& base) {
  std::vector<Pixel> outline;
  std::vector<Pixel> floor;
  for (std::size_t i = 0; i < series.xs.size(); ++i) {
    const double y = base[i] + series.ys[i];
    if (!drawable(plot, series.xs[i], y)) continue;
    const double x = position(frame.x, series.xs[i]);
    const double low = can_show(plot.y.scale, base[i]) ? base[i] : frame.y.lo;
    outline.push_back({x, position(frame.y, y)});
    floor.push_back({x, position(frame.y, low)});
  }
  outline.insert(outline.end(), floor.rbegin(), floor.rend());
  if (outline.empty()) return {};
  return fmt::format("<path class=\"area{}\" d=\"{}z\"/>", plot.stacked ? " solid" : "",
                     path_through(outline));
}

struct BarGroup {
  double width = 0;   // of one bar
  double offset = 0;  // of this series' bar from its x
};

BarGroup bar_group(const Plot& plot, const Frame& frame, std::size_t index) {
  std::vector<double> centres;
  std::size_t bars = 0;
  std::size_t before = 0;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].kind != SeriesKind::bars) continue;
    for (const double x : plot.series[i].xs) {
      if (can_show(plot.x.scale, x)) centres.push_back(position(frame.x, x));
    }
    before += i < index ? 1 : 0;
    ++bars;
  }
  std::ranges::sort(centres);
  double slot = frame.area.right - frame.area.left;
  for (std::size_t i = 1; i < centres.size(); ++i) {
    const double gap = centres[i] - centres[i - 1];
    if (gap > 0.01) slot = std::min(slot, gap);
  }
  const std::size_t side_by_side = plot.stacked ? 1 : bars;
  const auto count = static_cast<double>(side_by_side);
  const double width = std::min(0.78 * slot / count, kWidestBar);
  const double rank = plot.stacked ? 0 : static_cast<double>(before);
  return {width, (rank - (count - 1) / 2) * width};
}

std::string draw_bars(const Plot& plot, const Frame& frame, std::size_t index,
                      const std::vector<double>& base) {
  const Series& series = plot.series[index];
  const BarGroup group = bar_group(plot, frame, index);
  std::string out;
  for (std::size_t i = 0; i < series.xs.size(); ++i) {
    if (!drawable(plot, series.xs[i], base[i] + series.ys[i])) continue;
    const double low = can_show(plot.y.scale, base[i]) ? base[i] : frame.y.lo;
    const double from = position(frame.y, low);
    const double to = position(frame.y, base[i] + series.ys[i]);
    const double left = position(frame.x, series.xs[i]) + group.offset - group.width / 2;
    out += fmt::format("<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">{}</rect>",
                       pixels(left + 0.5), pixels(std::min(from, to)),
                       pixels(std::max(1.0, group.width - 1)), pixels(std::abs(from - to)),
                       hover(plot, series, i));
  }
  return out;
}

// Lines without markers get invisible targets, so that hovering finds their points as well.
std::string draw_points(const Plot& plot, const Frame& frame, std::size_t index,
                        const std::vector<double>& base) {
  const Series& series = plot.series[index];
  const bool marked = series.kind == SeriesKind::points || series.kind == SeriesKind::line_points;
  std::string out;
  for (std::size_t i = 0; i < series.xs.size(); ++i) {
    const double y = base[i] + series.ys[i];
    if (!drawable(plot, series.xs[i], y)) continue;
    const Pixel at{position(frame.x, series.xs[i]), position(frame.y, y)};
    if (!within(frame, at)) continue;
    const std::string title = hover(plot, series, i);
    if (marked) {
      out += fmt::format("<path class=\"dot\" d=\"{}\">{}</path>", marker_path(index, at), title);
    } else {
      out += fmt::format("<circle class=\"hit\" cx=\"{}\" cy=\"{}\" r=\"6\">{}</circle>",
                         pixels(at.x), pixels(at.y), title);
    }
  }
  return out;
}

std::string label_svg(const LabelPlacer::Place& place, const std::string& text) {
  std::string out;
  if (place.far) {
    out += fmt::format("<path class=\"leader\" d=\"M{} {}L{} {}\"/>", pixels(place.leader.x1),
                       pixels(place.leader.y1), pixels(place.leader.x2), pixels(place.leader.y2));
  }
  const double x = place.side > 0   ? place.box.left
                   : place.side < 0 ? place.box.right
                                    : (place.box.left + place.box.right) / 2;
  const std::string_view anchor = place.side > 0 ? "" : place.side < 0 ? " end" : " middle";
  // The baseline lies about a fifth of the height above the box's bottom.
  return out + fmt::format("<text class=\"label{}\" x=\"{}\" y=\"{}\">{}</text>", anchor, pixels(x),
                           pixels(place.box.bottom - 0.2 * kLabelSize), escape_html(text));
}

}  // namespace

std::string series_class(std::size_t index) {
  return fmt::format("s{}{}", index % kPalette + 1, index / kPalette % 2 == 1 ? " dashed" : "");
}

std::string legend_sample(const Series& series, std::size_t index, double x, double y) {
  std::string out;
  const bool filled = series.kind == SeriesKind::bars || series.kind == SeriesKind::area;
  if (filled) {
    out = fmt::format("<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"12\" height=\"12\"/>",
                      pixels(x + 4), pixels(y - 6));
  } else if (series.kind != SeriesKind::points) {
    out = fmt::format("<path class=\"line\" d=\"M{} {}h20\"/>", pixels(x), pixels(y));
  }
  if (series.kind == SeriesKind::points || series.kind == SeriesKind::line_points) {
    out += fmt::format("<path class=\"dot\" d=\"{}\"/>", marker_path(index, {x + 10, y}));
  }
  return fmt::format("<g class=\"{}\">{}</g>", series_class(index), out);
}

std::string draw_series(const Plot& plot, const Frame& frame) {
  const auto bases = stack_bases(plot);
  std::string areas;
  std::string bars;
  std::string lines;
  std::string points;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    const std::string open = fmt::format("<g class=\"{}\">", series_class(i));
    if (series.kind == SeriesKind::bars) {
      bars += open + draw_bars(plot, frame, i, bases[i]) + "</g>";
      continue;
    }
    if (series.kind == SeriesKind::area) {
      areas += open + draw_area(plot, series, frame, bases[i]) + "</g>";
    }
    if (series.kind != SeriesKind::points) {
      lines += open + draw_lines(plot, series, frame, bases[i]) + "</g>";
    }
    points += open + draw_points(plot, frame, i, bases[i]) + "</g>";
  }
  return areas + bars + lines + points;
}

void block_data(const Plot& plot, const Frame& frame, LabelPlacer& placer) {
  const auto bases = stack_bases(plot);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    const bool joined = series.kind != SeriesKind::points && series.kind != SeriesKind::bars;
    for (const auto& run : runs(plot, series, frame, bases[i])) {
      for (std::size_t k = 0; k < run.size(); ++k) {
        const Pixel at = run[k];
        placer.block(Box{at.x - kRadius, at.y - kRadius, at.x + kRadius, at.y + kRadius});
        if (joined && k > 0) placer.block(Segment{run[k - 1].x, run[k - 1].y, at.x, at.y});
      }
    }
  }
}

std::string draw_labels(const Plot& plot, const Frame& frame, LabelPlacer& placer, int& missed) {
  const auto bases = stack_bases(plot);
  std::string out;
  int tried = 0;
  for (std::size_t s = 0; s < plot.series.size(); ++s) {
    const Series& series = plot.series[s];
    for (std::size_t i = 0; i < series.labels.size(); ++i) {
      const double value = bases[s][i] + series.ys[i];
      if (series.labels[i].empty() || !drawable(plot, series.xs[i], value)) continue;
      const Pixel at{position(frame.x, series.xs[i]), position(frame.y, value)};
      if (!within(frame, at)) continue;
      const std::string text = one_line(without_backticks(series.labels[i]));
      const auto place =
          tried++ < kMostLabels ? placer.place(at.x, at.y, text, kLabelSize) : std::nullopt;
      if (!place) {
        ++missed;
        continue;
      }
      out += label_svg(*place, text);
    }
  }
  return out;
}

}  // namespace fathom::report
