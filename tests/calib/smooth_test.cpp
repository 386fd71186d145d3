#include "calib/smooth.hpp"

#include <algorithm>
#include <cmath>

#include "calib/kd_tree.hpp"
#include "catch.hpp"
#include "synthetic.hpp"

using namespace fathom::calib;

namespace {

// Ratios that bend smoothly over the grid.
std::vector<double> ratios(const std::vector<Measurement>& rows) {
  std::vector<double> out;
  for (const Measurement& row : rows) {
    out.push_back(0.2 * std::sin(0.5 * std::log2(row.axes[0])) + 0.01 * std::log2(row.exact[0]));
  }
  return out;
}

}  // namespace

TEST_CASE("a row far from all others keeps the bare form", "[calib]") {
  const auto rows = synthetic::rows({10.0, 0.5, 5.0});
  const auto method = GENERATE(Smoothing::nearest, Smoothing::kriging);
  SmoothChoice choice = nearest_rows(rows.front());
  choice.method = method;
  const std::vector<double> same(rows.size(), 0.3);
  const RatioSmoother smoother{synthetic::pointers(rows), same, {choice}};
  Measurement far = rows.front();
  far.axes[0] = 1e18;
  CHECK(std::abs(smoother.log_ratio(far)) < 1e-3);
}

TEST_CASE("inside the data the smoothed ratio follows the rows", "[calib]") {
  const auto rows = synthetic::rows({10.0, 0.5, 5.0});
  const auto r = ratios(rows);
  SmoothChoice choice = nearest_rows(rows.front());
  choice.method = Smoothing::kriging;
  choice.nugget = 0.01;
  const RatioSmoother smoother{synthetic::pointers(rows), r, {choice}};
  for (std::size_t i = 0; i < rows.size(); i += 7) {
    CHECK(std::abs(smoother.log_ratio(rows[i]) - r[i]) < 0.02);
  }
}

TEST_CASE("a row borrows only from rows with its labels", "[calib]") {
  const auto rows = synthetic::rows({10.0, 0.5, 5.0});
  const std::vector<double> same(rows.size(), 0.3);
  const RatioSmoother smoother{synthetic::pointers(rows), same, {nearest_rows(rows.front())}};
  Measurement other = rows[50];
  CHECK(smoother.log_ratio(other) > 0.2);
  other.labels = "another kernel";
  CHECK(smoother.log_ratio(other) == 0.0);
}

TEST_CASE("smooth ratios are interpolated, white noise is left alone", "[calib]") {
  const auto rows = synthetic::rows({10.0, 0.5, 5.0});
  const auto all = synthetic::pointers(rows);
  CHECK(choose_smoothing(all, ratios(rows)).front().method == Smoothing::kriging);
  std::mt19937_64 engine{5};
  std::vector<double> noise;
  for (std::size_t i = 0; i < rows.size(); ++i) noise.push_back(0.1 * synthetic::normal(engine));
  const RatioSmoother smoother{all, noise, choose_smoothing(all, noise)};
  double mean = 0.0;
  for (const Measurement* row : all) mean += std::abs(smoother.log_ratio(*row));
  CHECK(mean / static_cast<double>(all.size()) < 0.04);  // less than half of the noise's 0.08
}

TEST_CASE("the k-d tree finds what a scan of all points finds", "[calib]") {
  std::mt19937_64 engine{1};
  std::vector<double> points;
  for (int i = 0; i < 3 * 500; ++i) points.push_back(std::floor(8.0 * synthetic::normal(engine)));
  std::vector<int> labels;
  for (int i = 0; i < 500; ++i) labels.push_back(i % 4);
  const KdTree tree{points, 3};
  std::vector<Neighbour> near;
  for (std::size_t q = 0; q < 500; q += 17) {
    std::vector<Neighbour> scan;
    for (std::size_t i = 0; i < 500; ++i) {
      if (labels[i] == 2) continue;
      double sum = 0.0;
      for (std::size_t d = 0; d < 3; ++d) {
        sum += (points[3 * i + d] - points[3 * q + d]) * (points[3 * i + d] - points[3 * q + d]);
      }
      scan.push_back({i, sum});
    }
    std::ranges::stable_sort(scan, {}, &Neighbour::distance2);
    tree.nearest(tree.point(q), 9, {labels, 2}, near);
    REQUIRE(near.size() == 9);
    for (std::size_t k = 0; k < 9; ++k) CHECK(near[k].distance2 == scan[k].distance2);
  }
}
