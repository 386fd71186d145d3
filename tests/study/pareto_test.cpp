#include "study/pareto.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace fathom::study;

namespace {

std::vector<Objectives> random_points(unsigned seed, std::size_t count) {
  std::mt19937_64 engine(seed);
  std::vector<Objectives> points(count);
  // few distinct values, so that equals and ties happen
  for (Objectives& p : points) {
    for (double& x : p) x = static_cast<double>(engine() % 20);
  }
  return points;
}

}  // namespace

TEST_CASE("no point of a front is beaten by any point", "[study][pareto][property]") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U);
  const auto points = random_points(seed, 300);
  for (const std::size_t f : pareto_front(points)) {
    for (const Objectives& p : points) CHECK_FALSE(dominates(p, points[f]));
  }
}

TEST_CASE("every point off the front is beaten by or equal to one on it",
          "[study][pareto][property]") {
  const auto points = random_points(7, 300);
  const auto front = pareto_front(points);
  for (std::size_t i = 0; i < points.size(); ++i) {
    CHECK(std::ranges::any_of(front, [&](std::size_t f) {
      return points[f] == points[i] || dominates(points[f], points[i]);
    }));
  }
}

TEST_CASE("a front holds the best of every objective", "[study][pareto]") {
  const auto points = random_points(11, 200);
  const auto front = pareto_front(points);
  for (std::size_t k = 0; k < 3; ++k) {
    const auto of = [&](const Objectives& p) { return p[k]; };
    const double best = (*std::ranges::min_element(points, {}, of))[k];
    CHECK(std::ranges::any_of(front, [&](std::size_t f) { return points[f][k] == best; }));
  }
}

TEST_CASE("of equal points the first is kept", "[study][pareto]") {
  const std::vector<Objectives> points{{2, 2, 2}, {1, 1, 1}, {1, 1, 1}};
  CHECK(pareto_front(points) == std::vector<std::size_t>{1});
}

TEST_CASE("a point without a number is on no front", "[study][pareto]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Objectives> points{{nan, 0, 0}, {1, 1, 1}};
  CHECK(pareto_front(points) == std::vector<std::size_t>{1});
}
