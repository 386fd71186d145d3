#include "sweep/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "catch.hpp"

using namespace fathom::sweep;

namespace {

std::vector<double> column(const SampleRequest& request, int dimension) {
  const std::vector<double> u = sample_unit_cube(request);
  std::vector<double> out;
  for (std::size_t i = static_cast<std::size_t>(dimension); i < u.size();
       i += static_cast<std::size_t>(request.dimensions)) {
    out.push_back(u[i]);
  }
  return out;
}

// Points of each cell of a 2^a x 2^b grid over the unit square.
std::map<std::pair<int, int>, int> elementary(const std::vector<double>& u, int a, int b) {
  std::map<std::pair<int, int>, int> cells;
  for (std::size_t i = 0; i + 1 < u.size(); i += 2) {
    ++cells[{static_cast<int>(std::ldexp(u[i], a)), static_cast<int>(std::ldexp(u[i + 1], b))}];
  }
  return cells;
}

}  // namespace

TEST_CASE("every sample lies in the unit cube and has its size", "[sweep][sampler]") {
  const auto kind = GENERATE(SampleKind::random, SampleKind::latin_hypercube, SampleKind::sobol);
  const std::vector<double> u =
      sample_unit_cube({.kind = kind, .count = 1000, .dimensions = 7, .seed = 3});
  CHECK(u.size() == 7000);
  CHECK(std::ranges::all_of(u, [](double x) { return x >= 0.0 && x < 1.0; }));
  CHECK(sample_unit_cube({.kind = kind, .count = 0, .dimensions = 2}).empty());
}

TEST_CASE("the same seed gives the same points, another seed others", "[sweep][sampler]") {
  const auto kind = GENERATE(SampleKind::random, SampleKind::latin_hypercube, SampleKind::sobol);
  SampleRequest request{.kind = kind, .count = 64, .dimensions = 3, .seed = 1};
  const std::vector<double> first = sample_unit_cube(request);
  CHECK(first == sample_unit_cube(request));
  request.seed = 2;
  CHECK(first != sample_unit_cube(request));
}

TEST_CASE("random points are the engine's numbers", "[sweep][sampler]") {
  // [rand.predef]: the 10000th invocation of a default-constructed mt19937_64 (seed 5489).
  const std::vector<double> u =
      sample_unit_cube({.kind = SampleKind::random, .count = 5000, .dimensions = 2, .seed = 5489});
  CHECK(u.back() == static_cast<double>(UINT64_C(9981545732273789042) >> 11U) * 0x1p-53);
}

TEST_CASE("a Latin hypercube has one point in each stratum of each dimension",
          "[sweep][sampler][property]") {
  const auto count = GENERATE(1, 2, 7, 49, 1000);
  for (int d = 0; d < 4; ++d) {
    std::vector<double> x = column(
        {.kind = SampleKind::latin_hypercube, .count = count, .dimensions = 4, .seed = 11}, d);
    std::ranges::sort(x);
    for (int k = 0; k < count; ++k) {
      CAPTURE(count, d, k);
      CHECK(x[static_cast<std::size_t>(k)] >= static_cast<double>(k) / count);
      CHECK(x[static_cast<std::size_t>(k)] < static_cast<double>(k + 1) / count);
    }
  }
}

TEST_CASE("the first 2^k Sobol points fill every elementary interval once, shifted or not",
          "[sweep][sampler][property]") {
  const auto seed = GENERATE(UINT64_C(0), UINT64_C(1), UINT64_C(2025));
  for (int k = 0; k <= 8; ++k) {
    const std::vector<double> u = sample_unit_cube(
        {.kind = SampleKind::sobol, .count = INT64_C(1) << k, .dimensions = 2, .seed = seed});
    for (int a = 0; a <= k; ++a) {
      CAPTURE(seed, k, a);
      const auto cells = elementary(u, a, k - a);
      CHECK(cells.size() == std::size_t{1} << k);  // as many cells as points: one each
    }
  }
}

TEST_CASE("an unshifted Sobol sequence begins at the origin and the middle", "[sweep][sampler]") {
  // Joe and Kuo 2008, dimensions 1 and 2: 0, 1/2, 3/4, 1/4 and 0, 1/2, 1/4, 3/4.
  CHECK(sample_unit_cube({.kind = SampleKind::sobol, .count = 4, .dimensions = 2}) ==
        std::vector{0.0, 0.0, 0.5, 0.5, 0.75, 0.25, 0.25, 0.75});
}

TEST_CASE("a longer sequence continues a shorter one", "[sweep][sampler]") {
  const auto kind = GENERATE(SampleKind::random, SampleKind::sobol);
  const std::vector<double> few =
      sample_unit_cube({.kind = kind, .count = 10, .dimensions = 3, .seed = 5});
  std::vector<double> many =
      sample_unit_cube({.kind = kind, .count = 100, .dimensions = 3, .seed = 5});
  many.resize(few.size());
  CHECK(few == many);
}

TEST_CASE("a Sobol sequence of the most dimensions fills each of them evenly", "[sweep][sampler]") {
  const int most = max_sobol_dimensions();
  REQUIRE(most > 1000);
  const std::vector<double> x =
      column({.kind = SampleKind::sobol, .count = 64, .dimensions = most, .seed = 1}, most - 1);
  CHECK(std::ranges::count_if(x, [](double v) { return v < 0.5; }) == 32);
}

TEST_CASE("a coordinate runs over a range linearly or by ratios", "[sweep][sampler]") {
  CHECK(value_at({.from = 2.0, .to = 6.0}, 0.0) == 2.0);
  CHECK(value_at({.from = 2.0, .to = 6.0}, 0.25) == 3.0);
  CHECK(value_at({.from = 6.0, .to = 2.0}, 0.25) == 5.0);
  CHECK(value_at({.from = 1.0, .to = 16.0, .scale = Scale::log}, 0.5) == 4.0);
  CHECK(value_at({.from = 16.0, .to = 1.0, .scale = Scale::log}, 0.25) == 8.0);
  CHECK(value_at({.from = 3.0, .to = 3.0}, 0.7) == 3.0);
}

TEST_CASE("each integer of a linear range is equally likely, both ends included",
          "[sweep][sampler]") {
  const Range range{.from = -1.0, .to = 2.0, .integer = true};
  const int per_integer = 25;
  std::map<double, int> counts;
  for (int i = 0; i < 4 * per_integer; ++i)
    ++counts[value_at(range, (i + 0.5) / (4.0 * per_integer))];
  CHECK(counts == std::map<double, int>{{-1.0, 25}, {0.0, 25}, {1.0, 25}, {2.0, 25}});
  CHECK(value_at(range, std::nextafter(1.0, 0.0)) == 2.0);
}

TEST_CASE("an integer of a logarithmic range has the share log((k + 1) / k)", "[sweep][sampler]") {
  // 1, 2 and 3 divide [1, 4) at log4(2) = 1/2 and log4(3) = 0.7925.
  const Range range{.from = 1.0, .to = 3.0, .scale = Scale::log, .integer = true};
  CHECK(value_at(range, 0.0) == 1.0);
  CHECK(value_at(range, 0.49) == 1.0);
  CHECK(value_at(range, 0.51) == 2.0);
  CHECK(value_at(range, 0.79) == 2.0);
  CHECK(value_at(range, 0.80) == 3.0);
  CHECK(value_at(range, std::nextafter(1.0, 0.0)) == 3.0);
}

TEST_CASE("each of several choices is equally likely", "[sweep][sampler]") {
  CHECK(choice_at(4, 0.0) == 0);
  CHECK(choice_at(4, 0.2499) == 0);
  CHECK(choice_at(4, 0.25) == 1);
  CHECK(choice_at(4, std::nextafter(1.0, 0.0)) == 3);
  CHECK(choice_at(1, 0.9) == 0);
  CHECK(choice_at(3, std::nextafter(1.0, 0.0)) == 2);
}

TEST_CASE("a grid over a range meets both ends exactly", "[sweep][sampler]") {
  CHECK(range_values({.from = 0.0, .to = 1.0}, 5) == std::vector{0.0, 0.25, 0.5, 0.75, 1.0});
  CHECK(range_values({.from = 1.0, .to = 0.0}, 3) == std::vector{1.0, 0.5, 0.0});
  CHECK(range_values({.from = 7.0, .to = 7.0}, 1) == std::vector{7.0});
  const std::vector<double> log = range_values({.from = 0.1, .to = 0.3, .scale = Scale::log}, 4);
  CHECK(log.size() == 4);
  CHECK(log.front() == 0.1);
  CHECK(log.back() == 0.3);
  CHECK(std::abs(log[1] * log[2] / (0.1 * 0.3) - 1.0) < 1e-15);
}

TEST_CASE("a grid of integers is rounded and repeats none", "[sweep][sampler]") {
  CHECK(range_values({.from = 1024.0, .to = 131072.0, .scale = Scale::log, .integer = true}, 8) ==
        std::vector{1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0});
  CHECK(range_values({.from = 1.0, .to = 4.0, .integer = true}, 7) ==
        std::vector{1.0, 2.0, 3.0, 4.0});
}
