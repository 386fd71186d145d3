#include "calib/bands.hpp"

#include <cmath>

#include "calib/score.hpp"
#include "catch.hpp"
#include "synthetic.hpp"

using namespace fathom::calib;

TEST_CASE("bands cover the share they promise, widened ones more", "[calib]") {
  std::mt19937_64 engine{11};
  std::vector<Residual> residuals;
  std::vector<int> folds;
  for (int i = 0; i < 3000; ++i) {
    const double time = 1e-6 * (1 + i % 300);
    // short kernels scatter more than long ones
    residuals.push_back(
        {i % 2 == 0 ? "a" : "b", time, (i % 300 < 100 ? 0.2 : 0.05) * synthetic::normal(engine)});
    folds.push_back(i % 5);
  }
  const double raw = coverage(residuals, folds, {.level = 0.9, .inflate = 1.0});
  CHECK(raw > 0.88);
  CHECK(raw < 0.92);
  // a normal's 95 % quantile, 1.645 sigma, times 1.3 leaves 3.2 % outside
  const double wide = coverage(residuals, folds, {.level = 0.9, .inflate = 1.3});
  CHECK(wide > 0.955);
  CHECK(wide < 0.98);
}

TEST_CASE("short and long kernels have bands of their own, never below repeatability", "[calib]") {
  std::vector<Residual> residuals;
  for (int i = 0; i < 300; ++i) {
    const bool small = i < 100;
    residuals.push_back({"a", 1e-6 * (i + 1), (i % 2 == 0 ? 1 : -1) * (small ? 0.3 : 0.001)});
  }
  const BandTable table{residuals, {.level = 0.9, .inflate = 1.0}};
  CHECK(std::abs(table.at("a", 1e-6).high - 0.3) < 1e-9);
  CHECK(table.at("a", 1e-3).high == 0.02);
  CHECK(table.at("a", 1e-3).low == -0.02);
  // a sub-fit that was never seen gets the band of all rows
  CHECK(table.at("unknown", 1e-3).high > 0.02);
}

TEST_CASE("scores are shares of the measured time, the bias is geometric", "[calib]") {
  const std::vector<double> measured{1.0, 1.0, 1.0, 1.0, 1.0};
  const std::vector<double> predicted{0.5, 0.9, 1.0, 1.1, 2.0};
  const Score s = score(predicted, measured);
  CHECK(std::abs(s.median - 0.1) < 1e-12);  // errors 0, 0.1, 0.1, 0.5, 1
  CHECK(std::abs(s.p90 - 0.8) < 1e-12);     // position 3.6 between 0.5 and 1
  CHECK(std::abs(s.worst - 2.0) < 1e-12);
  CHECK(std::abs(s.bias - (std::pow(0.99, 0.2) - 1.0)) < 1e-12);  // 0.5 · 0.9 · 1.1 · 2 = 0.99
  CHECK(s.rows == 5);
}
