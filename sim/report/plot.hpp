#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/table.hpp"

namespace fathom::report {

/// log2 is for token counts and batch sizes: its ticks are powers of two, 4 Ki rather than 4000.
enum class AxisScale : std::uint8_t { linear, log, log2 };

struct Axis {
  std::string label;
  std::string unit;
  AxisScale scale = AxisScale::linear;
  std::optional<double> min;  ///< absent: from the data
  std::optional<double> max;
  std::vector<std::string> categories;  ///< x axis only: names of x = 0, 1, 2, …
  bool operator==(const Axis&) const = default;
};

enum class SeriesKind : std::uint8_t { line, points, line_points, bars, step, area };

/// A point that is not finite, or not positive on a log axis, is a gap.
struct Series {
  std::string name;
  SeriesKind kind = SeriesKind::line_points;
  std::vector<double> xs;
  std::vector<double> ys;
  std::vector<std::string> labels;  ///< none, or one per point; drawn where there is room
  bool operator==(const Series&) const = default;
};

/// horizontal: y = value; vertical: x = value; diagonal: y = value · x.
enum class ReferenceKind : std::uint8_t { horizontal, vertical, diagonal };

struct ReferenceLine {
  ReferenceKind kind = ReferenceKind::horizontal;
  double value = 0;
  std::string label;
  std::optional<double> from;  ///< horizontal and diagonal: the part of the x axis it spans
  std::optional<double> to;
  bool operator==(const ReferenceLine&) const = default;
};

struct Plot {
  std::string title;  ///< states the finding
  Axis x;
  Axis y;
  std::vector<Series> series;
  std::vector<ReferenceLine> references;
  bool stacked = false;  ///< bars and areas stand on the series before them; equal xs
  std::string note;
  std::optional<Table> data =
      {};  ///< what data_table() answers, where the series do not say it all
  bool operator==(const Plot&) const = default;
};

/// BugError if a series has unequal numbers of xs, ys and labels, or stacked series differ in xs.
void check(const Plot& plot);

/// The numbers behind a plot. One column per series when all share their xs, else one row per
/// point.
Table data_table(const Plot& plot);

std::string axis_title(const Axis& axis);  ///< "context (tokens)"

}  // namespace fathom::report
