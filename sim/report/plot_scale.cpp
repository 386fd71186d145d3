#include "report/plot_scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/si_format.hpp"

namespace fathom::report {
namespace {

// Keeps spans and their products inside a double however absurd the data.
constexpr double kLargest = 1e150;
constexpr double kSmallestPositive = 1e-150;

// Where a value lies on a ruler on which the axis is even.
double along(AxisScale kind, double value) {
  switch (kind) {
    case AxisScale::linear:
      return value;
    case AxisScale::log:
      return std::log10(value);
    case AxisScale::log2:
      return std::log2(value);
  }
  return value;
}

double back(AxisScale kind, double mark) {
  switch (kind) {
    case AxisScale::linear:
      return mark;
    case AxisScale::log:
      return std::pow(10.0, mark);
    case AxisScale::log2:
      return std::exp2(mark);
  }
  return mark;
}

std::string superscript(int exponent) {
  constexpr std::array<std::string_view, 10> kDigits = {"⁰", "¹", "²", "³", "⁴",
                                                        "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = exponent < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(exponent))) {
    out += kDigits.at(static_cast<std::size_t>(c - '0'));
  }
  return out;
}

std::string linear_label(double value, double step) {
  const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
  if (std::abs(value) < step / 2) return "0";
  if (std::abs(value) >= 1e7 || decimals > 5) {
    const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
    return fmt::format("{:.3g}·10{}", value / std::pow(10.0, exponent), superscript(exponent));
  }
  if (decimals == 0) return format_count(std::llround(value));
  return fmt::format("{:.{}f}", value, decimals);
}

std::vector<Tick> linear_ticks(double lo, double hi, int target) {
  const double raw = (hi - lo) / std::max(1, target);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = power * (lead <= 1.0 ? 1 : lead <= 2.0 ? 2 : lead <= 5.0 ? 5 : 10);
  std::vector<Tick> out;
  const double slack = 1e-9 * (hi - lo);
  for (double k = std::ceil((lo - slack) / step); k * step <= hi + slack; k += 1) {
    out.push_back({k * step, linear_label(k * step, step)});
  }
  return out;
}

// Counts up to 100,000 read best written out; beyond, only the exponent matters.
std::string log_label(double value, bool written_out) {
  const int exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  if (written_out) return linear_label(value, exponent < 0 ? std::pow(10.0, exponent) : 1.0);
  const int lead = static_cast<int>(std::lround(value / std::pow(10.0, exponent)));
  const std::string power = "10" + superscript(exponent);
  return lead == 1 ? power : fmt::format("{}·{}", lead, power);
}

std::vector<Tick> log_ticks(const Scale& scale, int target) {
  const double decades = std::log10(scale.hi / scale.lo);
  if (decades < 0.7) return linear_ticks(scale.lo, scale.hi, target);
  const bool written_out = scale.lo >= 0.9e-3 && scale.hi <= 1.1e6;
  // With room to spare, 2 and 5 are labelled too.
  const bool label_2_5 = 3 * decades <= target + 1;
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / (target + 1))));
  std::vector<Tick> out;
  const int first = static_cast<int>(std::floor(std::log10(scale.lo)));
  const int last = static_cast<int>(std::ceil(std::log10(scale.hi)));
  for (int exponent = first; exponent <= last; ++exponent) {
    const double power = std::pow(10.0, exponent);
    for (int lead = 1; lead <= (stride == 1 && decades <= 7 ? 9 : 1); ++lead) {
      const double value = lead * power;
      if (value < scale.lo * (1 - 1e-9) || value > scale.hi * (1 + 1e-9)) continue;
      const bool labelled =
          (lead == 1 && exponent % stride == 0) || (label_2_5 && (lead == 2 || lead == 5));
      out.push_back({value, labelled ? log_label(value, written_out) : ""});
    }
  }
  return out;
}

std::string binary_label(double value) {
  constexpr std::array<std::string_view, 5> kPrefixes = {"", " Ki", " Mi", " Gi", " Ti"};
  std::size_t index = 0;
  while (value >= 1024 && index + 1 < kPrefixes.size()) {
    value /= 1024;
    ++index;
  }
  if (value >= 1e6) return fmt::format("2{}", superscript(static_cast<int>(std::log2(value)) + 40));
  return fmt::format("{:g}{}", value, kPrefixes.at(index));
}

std::vector<Tick> log2_ticks(const Scale& scale, int target) {
  const double octaves = std::log2(scale.hi / scale.lo);
  if (octaves < 1) return linear_ticks(scale.lo, scale.hi, target);
  int stride = 1;
  while (octaves / stride > target + 1) stride *= stride == 2 ? 5 : 2;  // 1, 2, 10, 20, …
  std::vector<Tick> out;
  const int last = static_cast<int>(std::floor(std::log2(scale.hi) + 1e-9));
  for (int exponent = static_cast<int>(std::ceil(std::log2(scale.lo) - 1e-9)); exponent <= last;
       ++exponent) {
    if (exponent % stride == 0)
      out.push_back({std::exp2(exponent), binary_label(std::exp2(exponent))});
  }
  return out;
}

struct Interval {
  double lo;
  double hi;
};

Interval data_range(AxisScale kind, const std::vector<double>& values) {
  const double lowest = kind == AxisScale::linear ? -kLargest : kSmallestPositive;
  Interval range{kLargest, lowest};
  for (const double value : values) {
    if (!can_show(kind, value)) continue;
    range.lo = std::min(range.lo, std::clamp(value, lowest, kLargest));
    range.hi = std::max(range.hi, std::clamp(value, lowest, kLargest));
  }
  if (range.lo > range.hi) range = kind == AxisScale::linear ? Interval{0, 1} : Interval{1, 10};
  return range;
}

// Limits that leave nothing between them keep the given end and make up the other.
void apply_limits(const Axis& axis, Scale& scale) {
  const bool has_min = axis.min && can_show(axis.scale, *axis.min);
  const bool has_max = axis.max && can_show(axis.scale, *axis.max);
  if (has_min) scale.lo = std::clamp(*axis.min, -kLargest, kLargest);
  if (has_max) scale.hi = std::clamp(*axis.max, -kLargest, kLargest);
  if (scale.hi > scale.lo) return;
  if (axis.scale != AxisScale::linear) {
    (has_min ? scale.hi : scale.lo) = has_min ? scale.lo * 10 : scale.hi / 10;
  } else if (has_min) {
    scale.hi = scale.lo + std::max(1.0, std::abs(scale.lo));
  } else {
    scale.lo = scale.hi - std::max(1.0, std::abs(scale.hi));
  }
}

}  // namespace

bool can_show(AxisScale kind, double value) {
  return std::isfinite(value) && (kind == AxisScale::linear || value > 0);
}

double position(const Scale& scale, double value) {
  const double bound = std::clamp(value, -kLargest, kLargest);
  const double lo = along(scale.kind, scale.lo);
  const double share = (along(scale.kind, bound) - lo) / (along(scale.kind, scale.hi) - lo);
  // Far outside is as good as outside; SVG readers dislike huge coordinates.
  return scale.pixel_lo + std::clamp(share, -10.0, 11.0) * (scale.pixel_hi - scale.pixel_lo);
}

std::vector<Tick> ticks(const Scale& scale, int target) {
  switch (scale.kind) {
    case AxisScale::linear:
      return linear_ticks(scale.lo, scale.hi, target);
    case AxisScale::log:
      return log_ticks(scale, target);
    case AxisScale::log2:
      return log2_ticks(scale, target);
  }
  return {};
}

Scale fit_scale(const Axis& axis, const std::vector<double>& values, bool from_zero, double air) {
  const Interval data = data_range(axis.scale, values);
  // Data that nearly reach zero are read against zero.
  const bool near_zero = data.lo >= 0 && data.lo < data.hi / 2;
  const bool zero = axis.scale == AxisScale::linear && (from_zero || near_zero);
  const double from = along(axis.scale, zero ? std::min(data.lo, 0.0) : data.lo);
  const double to = along(axis.scale, zero ? std::max(data.hi, 0.0) : data.hi);
  Scale scale{.kind = axis.scale};
  if (to > from) {
    const double margin = air * (to - from);
    scale.lo = back(axis.scale, zero && data.lo >= 0 ? from : from - margin);
    scale.hi = back(axis.scale, zero && data.hi <= 0 ? to : to + margin);
  } else {
    const double half = axis.scale == AxisScale::linear ? std::max(std::abs(from) / 2, 0.5) : 0.5;
    scale.lo = back(axis.scale, from - half);
    scale.hi = back(axis.scale, to + half);
  }
  apply_limits(axis, scale);
  return scale;
}

}  // namespace fathom::report
