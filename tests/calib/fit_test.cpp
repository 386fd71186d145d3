#include "calib/fit.hpp"

#include <cmath>

#include "calib/least_squares.hpp"
#include "calib/train.hpp"
#include "catch.hpp"
#include "synthetic.hpp"

using namespace fathom::calib;

namespace {

double worst_factor(const std::vector<double>& found, const std::vector<double>& truth) {
  double worst = 0.0;
  for (std::size_t j = 0; j < truth.size(); ++j) {
    worst = std::max(worst, std::abs(std::log(found[j] / truth[j])));
  }
  return worst;
}

}  // namespace

TEST_CASE("a fit without ridge recovers the parameters that made the data", "[calib]") {
  const std::vector<double> truth{12.0, 0.35, 9.0};
  const auto rows = synthetic::rows(truth);
  const Fit found = fit(synthetic::kForm, "g", synthetic::samples(rows), {.ridge = 0.0});
  CHECK(worst_factor(found.values, truth) < 1e-3);
  CHECK(found.rows == 144);
}

TEST_CASE("a twentieth of the rows three times too slow barely moves the parameters", "[calib]") {
  const std::vector<double> truth{12.0, 0.35, 9.0};
  auto rows = synthetic::rows(truth);
  for (std::size_t i = 3; i < rows.size(); i += 20) rows[i].latency_s *= 3.0;
  const Fit found = fit(synthetic::kForm, "g", synthetic::samples(rows));
  CHECK(worst_factor(found.values, truth) < 0.05);
}

TEST_CASE("isolated spikes are found and the fit without them is exact again", "[calib]") {
  const std::vector<double> truth{12.0, 0.35, 9.0};
  auto rows = synthetic::rows(truth);
  rows[40].latency_s *= 3.0;
  rows[100].latency_s *= 20.0;
  const Trained trained = train(synthetic::kForm, "g", synthetic::samples(rows), {.ridge = 0.0});
  REQUIRE(trained.spikes.size() == 2);
  CHECK(trained.spikes[0] == &rows[40]);
  CHECK(trained.spikes[1] == &rows[100]);
  CHECK(trained.rows.size() == rows.size() - 2);
  CHECK(worst_factor(trained.fit.values, truth) < 1e-3);
}

TEST_CASE("a region that is slow as a whole is no spike", "[calib]") {
  const std::vector<double> truth{12.0, 0.35, 9.0};
  auto rows = synthetic::rows(truth);
  for (auto& row : rows) {
    if (row.shape[0] > 1e7) row.latency_s *= 3.0;  // five of the twelve sizes
  }
  CHECK(train(synthetic::kForm, "g", synthetic::samples(rows)).spikes.empty());
}

TEST_CASE("the ridge keeps a parameter that no row feels at its start", "[calib]") {
  auto rows = synthetic::rows({12.0, 0.35, 9.0});
  for (auto& row : rows) {
    row.shape[1] = 0.0;  // no items: their cost cannot be seen
    row.latency_s =
        synthetic::seconds("g", std::vector{12.0, 0.35, 1.0}, row.shape, synthetic::kDevice);
  }
  const Fit found = fit(synthetic::kForm, "g", synthetic::samples(rows));
  CHECK(std::abs(std::log(found.values[2] / synthetic::ranges("g")[2].start)) < 1e-6);
}

TEST_CASE("a fit stays inside its bounds", "[calib]") {
  const auto rows = synthetic::rows({12.0, 3.0, 9.0});  // a share above 1 is not allowed
  const Fit found = fit(synthetic::kForm, "g", synthetic::samples(rows), {.ridge = 0.0});
  CHECK(found.values[1] <= 1.0);
  CHECK(found.values[1] > 0.99);
}

TEST_CASE("a sub-sample is seeded, sorted and without repetition", "[calib]") {
  const auto a = sample_indices(1000, 50, 7);
  CHECK(a == sample_indices(1000, 50, 7));
  CHECK(a != sample_indices(1000, 50, 8));
  CHECK(a.size() == 50);
  CHECK(std::adjacent_find(a.begin(), a.end(), std::greater_equal<>{}) == a.end());
  CHECK(sample_indices(10, 50, 7).size() == 10);
}

TEST_CASE("cholesky solves what it is given and refuses an indefinite matrix", "[calib]") {
  std::vector<double> a{4.0, 2.0, 2.0, 3.0};
  std::vector<double> b{10.0,
                        8.0};  // x = (7/4, 3/2): 4 · 7/4 + 2 · 3/2 = 10, 2 · 7/4 + 3 · 3/2 = 8
  REQUIRE(solve_cholesky(a, b));
  CHECK(std::abs(b[0] - 1.75) < 1e-12);
  CHECK(std::abs(b[1] - 1.5) < 1e-12);
  std::vector<double> indefinite{1.0, 2.0, 2.0, 1.0};
  std::vector<double> c{1.0, 1.0};
  CHECK_FALSE(solve_cholesky(indefinite, c));
}
