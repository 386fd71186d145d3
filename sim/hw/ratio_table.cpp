#include "hw/ratio_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/portable_math.hpp"

namespace fathom::hw {
namespace {

constexpr std::size_t kMaxColumns = 16;
constexpr std::size_t kMaxPoints = 4096;
// A ratio counts as a factor of 2.7 at most, as when it is fitted (calib/ratio_fit.cpp).
constexpr double kLargest = 1.0;

std::vector<double> numbers(const JsonReader& in, std::string_view key, const nlohmann::json& list,
                            std::size_t expected) {
  const bool good = list.is_array() && list.size() == expected &&
                    std::ranges::all_of(list, [](const nlohmann::json& v) {
                      return v.is_number() && std::isfinite(v.get<double>());
                    });
  if (!good) in.fail(key, fmt::format("expected lists of {} numbers", expected));
  return list.get<std::vector<double>>();
}

// Rows by their first coordinate: at() walks a window of it.
void sort_points(RatioTable& table) {
  const std::size_t d = table.scales.size();
  std::vector<std::size_t> order(table.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return table.points[i * d]; });
  RatioTable sorted = table;
  for (std::size_t i = 0; i < order.size(); ++i) {
    sorted.weights[i] = table.weights[order[i]];
    std::copy_n(table.points.begin() + static_cast<std::ptrdiff_t>(order[i] * d), d,
                sorted.points.begin() + static_cast<std::ptrdiff_t>(i * d));
  }
  table = std::move(sorted);
}

}  // namespace

double ratio_kernel(double distance, std::size_t dimensions) {
  if (distance >= 1.0) return 0.0;
  const std::size_t power = dimensions / 2 + 3;
  const double rest = 1.0 - distance;
  double out = static_cast<double>(power) * distance + 1.0;
  for (std::size_t i = 0; i < power; ++i) out *= rest;
  return out;
}

double ratio_position(double value, double scale) {
  return portable::log2(std::max(value, 0.0) + 1.0) * scale;
}

RatioTable::Answer RatioTable::at(std::span<const double> shape) const {
  const std::size_t d = scales.size();
  std::array<double, kMaxColumns> x;
  for (std::size_t c = 0; c < d; ++c) x[c] = ratio_position(shape[c], scales[c]);
  std::size_t first = 0;
  for (std::size_t step = std::bit_floor(size()); step > 0; step /= 2) {
    if (first + step <= size() && points[(first + step - 1) * d] <= x[0] - 1.0) first += step;
  }
  Answer out;
  for (std::size_t i = first; i < size() && points[i * d] < x[0] + 1.0; ++i) {
    const double* point = points.data() + i * d;
    double distance2 = 0.0;
    for (std::size_t c = 0; c < d && distance2 < 1.0; ++c)
      distance2 += (x[c] - point[c]) * (x[c] - point[c]);
    if (distance2 >= 1.0) continue;
    out.covered = true;
    out.log_ratio += weights[i] * ratio_kernel(std::sqrt(distance2), d);
  }
  out.log_ratio = std::clamp(out.log_ratio, -kLargest, kLargest);
  return out;
}

RatioTable read_ratio_table(JsonReader& entry, std::span<const std::string_view> columns) {
  constexpr double kMostScale = 1e4;
  FATHOM_EXPECT(columns.size() <= kMaxColumns, "a form has few columns");
  RatioTable out;
  JsonReader scales = entry.object("scales");
  for (const std::string_view column : columns)
    out.scales.push_back(scales.number(column, 1e-4, kMostScale));
  scales.finish();
  const nlohmann::json& shapes = entry.raw("shapes");
  if (!shapes.is_array() || shapes.size() > kMaxPoints) {
    entry.fail("shapes", fmt::format("expected a list of at most {} shapes", kMaxPoints));
  }
  for (const nlohmann::json& shape : shapes) {
    const std::vector<double> values = numbers(entry, "shapes", shape, columns.size());
    for (std::size_t c = 0; c < values.size(); ++c)
      out.points.push_back(ratio_position(values[c], out.scales[c]));
  }
  out.weights = numbers(entry, "weights", entry.raw("weights"), shapes.size());
  out.median_error = entry.number("median_error", 0.0, 10.0);
  out.p90_error = entry.number("p90_error", 0.0, 10.0);
  entry.finish();
  sort_points(out);
  return out;
}

}  // namespace fathom::hw
