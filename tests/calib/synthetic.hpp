#pragma once
// A form with three parameters whose true values a test chooses, and rows that obey it.

#include <array>
#include <cmath>
#include <random>
#include <string_view>
#include <vector>

#include "calib/fit.hpp"
#include "calib/measurement.hpp"
#include "forms/form.hpp"

namespace fathom::calib::synthetic {

inline const forms::DeviceFigures kDevice{.sm_count = 100, .memory_bandwidth = 1e12};

inline constexpr std::array<std::string_view, 2> kColumns{"bytes", "items"};

inline std::vector<forms::ParamRange> ranges(std::string_view) {
  return {{"t0_us", 5.0, 0.5, 50.0}, {"share", 0.7, 0.1, 1.0}, {"item_ns", 2.0, 0.01, 100.0}};
}

/// Fixed cost + bytes over a share of the bandwidth + a cost per item.
inline double seconds(std::string_view, std::span<const double> p, std::span<const double> shape,
                      const forms::DeviceFigures& device) {
  return p[0] * 1e-6 + shape[0] / (device.memory_bandwidth * p[1]) + shape[1] * p[2] * 1e-9;
}

inline const forms::Form kForm{"synthetic", kColumns, ranges, seconds};

/// A grid of 12 x 12 shapes, a slice for each number of items.
inline std::vector<Measurement> rows(const std::vector<double>& truth) {
  std::vector<Measurement> out;
  for (int i = 0; i < 12; ++i) {
    for (int j = 0; j < 12; ++j) {
      const double bytes = 1e5 * std::pow(2.0, i);
      const double items = 10.0 * std::pow(2.0, j);
      Measurement row{.group = "g",
                      .transfer_group = "g",
                      .slice = "items=" + std::to_string(j),
                      .labels = "g",
                      .shape = {bytes, items},
                      .exact = {bytes},
                      .axes = {items},
                      .size = bytes + items,
                      .line = i * 12 + j};
      row.latency_s = seconds("g", truth, row.shape, kDevice);
      row.roof_s = bytes / kDevice.memory_bandwidth;
      out.push_back(row);
    }
  }
  return out;
}

inline std::vector<Sample> samples(const std::vector<Measurement>& rows) {
  std::vector<Sample> out;
  for (const Measurement& row : rows) out.push_back({&row, &kDevice});
  return out;
}

inline std::vector<const Measurement*> pointers(const std::vector<Measurement>& rows) {
  std::vector<const Measurement*> out;
  for (const Measurement& row : rows) out.push_back(&row);
  return out;
}

/// Standard normal by Box and Muller: the same on every standard library.
inline double normal(std::mt19937_64& engine) {
  const auto uniform = [&engine] { return (static_cast<double>(engine() >> 11U) + 0.5) * 0x1p-53; };
  return std::sqrt(-2.0 * std::log(uniform())) * std::cos(6.283185307179586 * uniform());
}

}  // namespace fathom::calib::synthetic
