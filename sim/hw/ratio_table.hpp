#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace fathom {
class JsonReader;
}

namespace fathom::hw {

/// Smooth, positive definite in `dimensions`, 1 at distance 0 and exactly 0 from distance 1 on
/// (Wendland 1995, phi_{l,1} with l = dimensions / 2 + 2).
double ratio_kernel(double distance, std::size_t dimensions);

/// ln(measured / form) around measured shapes: a sum of kernels, one per shape, that fades to 0
/// within one unit. A unit along column c is 1 / scales[c] octaves.
struct RatioTable {
  std::vector<double> scales;
  std::vector<double> points;  // row-major scaled positions, by their first coordinate
  std::vector<double> weights;
  double median_error = 0.0;  // |ln(predicted / measured)|, each slice of shapes left out in turn
  double p90_error = 0.0;

  struct Answer {
    double log_ratio = 0.0;
    bool covered = false;  // a measured shape is within reach
  };
  /// No allocation; a few hundred points take about a microsecond.
  Answer at(std::span<const double> shape) const;
  std::size_t size() const { return weights.size(); }
  bool operator==(const RatioTable&) const = default;
};

/// Scaled position of a shape: log2(1 + value) times the column's scale.
double ratio_position(double value, double scale);

/// {"scales": {column: number}, "shapes": [[value, …], …], "weights": [...], "median_error",
/// "p90_error"}; shapes in the order of `columns`.
RatioTable read_ratio_table(JsonReader& entry, std::span<const std::string_view> columns);

}  // namespace fathom::hw
