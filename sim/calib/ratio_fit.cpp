#include "calib/ratio_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "calib/folds.hpp"
#include "calib/least_squares.hpp"
#include "hw/ratio_table.hpp"

namespace fathom::calib {
namespace {

constexpr int kFolds = 10;
constexpr std::size_t kSearchPoints = 160;  // scales are searched on at most so many shapes
// A ratio counts as a factor of 2.7 at most: one spike must not bend its neighbourhood.
constexpr double kLargest = 1.0;
// Reach of a measured shape, in octaves of a column: what is farther is another shape.
constexpr double kShortestReach = 0.25;
constexpr double kLongestReach = 4.0;
constexpr double kGain = 0.995;  // of the error, for a choice to move: less is chance

struct Point {
  std::vector<double> shape;
  double log_ratio = 0.0;
  int fold = 0;
};

std::vector<Point> merged(std::span<const Measurement* const> rows,
                          std::span<const double> log_ratios) {
  Dataset all;
  for (const Measurement* row : rows) all.rows.push_back({.slice = row->slice});
  const std::array<const Dataset*, 1> one{&all};
  const SliceFolds folds = slice_folds(one, kFolds);
  struct Sum {
    double total = 0.0;
    double count = 0.0;
    int fold = 0;
  };
  std::map<std::vector<double>, Sum> sums;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Sum& sum = sums[rows[i]->shape];
    sum.total += std::clamp(log_ratios[i], -kLargest, kLargest);
    sum.count += 1.0;
    sum.fold = folds.at(rows[i]->slice);
  }
  std::vector<Point> out;
  out.reserve(sums.size());
  for (const auto& [shape, sum] : sums) out.push_back({shape, sum.total / sum.count, sum.fold});
  return out;
}

std::vector<double> position(const std::vector<double>& shape, const std::vector<double>& scales) {
  std::vector<double> out(shape.size());
  for (std::size_t c = 0; c < shape.size(); ++c) {
    out[c] = hw::ratio_position(shape[c], scales[c]);
  }
  return out;
}

double distance2(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

// Each next point is the one farthest from those before it.
std::vector<Point> spread(const std::vector<Point>& points, std::size_t most) {
  if (points.size() <= most) return points;
  const std::vector<double> octaves(points.front().shape.size(), 1.0);
  std::vector<std::vector<double>> at;
  at.reserve(points.size());
  for (const Point& p : points) at.push_back(position(p.shape, octaves));
  std::vector<double> nearest(points.size(), std::numeric_limits<double>::infinity());
  std::vector<Point> out;
  std::size_t next = 0;
  while (out.size() < most) {
    out.push_back(points[next]);
    for (std::size_t i = 0; i < points.size(); ++i)
      nearest[i] = std::min(nearest[i], distance2(at[i], at[next]));
    next = static_cast<std::size_t>(std::ranges::max_element(nearest) - nearest.begin());
  }
  return out;
}

struct Choice {
  std::vector<double> scales;
  double noise = 0.1;  // variance of a row's own error over that of the ratios
};

std::vector<double> covariance(const std::vector<Point>& points, const Choice& choice) {
  const std::size_t n = points.size();
  std::vector<std::vector<double>> at;
  at.reserve(n);
  for (const Point& p : points) at.push_back(position(p.shape, choice.scales));
  std::vector<double> a(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double k = hw::ratio_kernel(std::sqrt(distance2(at[i], at[j])), choice.scales.size());
      a[i * n + j] = a[j * n + i] = k;
    }
    a[i * n + i] += choice.noise;
  }
  return a;
}

// Weights of the points outside a fold, and what they say of the fold's own.
void leave_out(int fold, const std::vector<Point>& points, const std::vector<double>& covariances,
               std::vector<double>& left_out) {
  const std::size_t n = points.size();
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < n; ++i) {
    if (points[i].fold != fold) kept.push_back(i);
  }
  if (kept.size() == n) return;
  std::vector<double> a(kept.size() * kept.size());
  std::vector<double> weights(kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    weights[i] = points[kept[i]].log_ratio;
    for (std::size_t j = 0; j < kept.size(); ++j)
      a[i * kept.size() + j] = covariances[kept[i] * n + kept[j]];
  }
  if (!solve_cholesky(a, weights)) return;
  for (std::size_t i = 0; i < n; ++i) {
    if (points[i].fold != fold) continue;
    left_out[i] = points[i].log_ratio;
    for (std::size_t j = 0; j < kept.size(); ++j)
      left_out[i] -= weights[j] * covariances[i * n + kept[j]];
  }
}

std::vector<double> left_out(const std::vector<Point>& points, const Choice& choice) {
  const std::vector<double> covariances = covariance(points, choice);
  std::vector<double> out;
  for (const Point& p : points) out.push_back(p.log_ratio);  // predicted by nothing
  for (int fold = 0; fold < kFolds; ++fold) leave_out(fold, points, covariances, out);
  return out;
}

double mean_error(const std::vector<double>& residuals) {
  double sum = 0.0;
  for (const double r : residuals) sum += std::abs(r);
  return sum;
}

// One reach for all columns first, then each column wider or tighter by 2 while that helps.
Choice search(const std::vector<Point>& points) {
  const std::size_t columns = points.front().shape.size();
  Choice best;
  double error = std::numeric_limits<double>::infinity();
  const auto offer = [&](const Choice& other) {
    const double found = mean_error(left_out(points, other));
    if (found >= kGain * error) return false;
    best = other;
    error = found;
    return true;
  };
  for (const double reach : {4.0, 2.0, 1.0, 0.5}) {
    for (const double noise : {0.03, 0.3})
      offer({std::vector<double>(columns, 1.0 / reach), noise});
  }
  for (std::size_t c = 0; c < columns; ++c) {
    for (const double factor : {0.5, 2.0}) {
      Choice other = best;
      other.scales[c] =
          std::clamp(other.scales[c] * factor, 1.0 / kLongestReach, 1.0 / kShortestReach);
      while (other.scales[c] != best.scales[c] && offer(other)) {
        other.scales[c] =
            std::clamp(other.scales[c] * factor, 1.0 / kLongestReach, 1.0 / kShortestReach);
      }
    }
  }
  for (const double factor : {0.3, 3.0}) {
    Choice other = best;
    other.noise *= factor;
    offer(other);
  }
  return best;
}

}  // namespace

RatioFit fit_ratios(std::span<const Measurement* const> rows, std::span<const double> log_ratios,
                    std::size_t most) {
  RatioFit out;
  const std::vector<Point> points = spread(merged(rows, log_ratios), most);
  if (points.empty()) return out;
  const Choice choice = search(spread(points, kSearchPoints));
  std::vector<double> a = covariance(points, choice);
  for (const Point& p : points) {
    out.shapes.push_back(p.shape);
    out.weights.push_back(p.log_ratio);
  }
  if (!solve_cholesky(a, out.weights)) return {};
  out.scales = choice.scales;
  std::vector<double> factors;
  for (const double r : left_out(points, choice)) factors.push_back(std::exp(-r));
  out.left_out = score(factors, std::vector<double>(factors.size(), 1.0));
  return out;
}

}  // namespace fathom::calib
