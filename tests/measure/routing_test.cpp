#include <algorithm>
#include <cmath>
#include <set>

#include "catch.hpp"
#include "measure/cases.hpp"

namespace fathom::measure {
namespace {

ExpertsShape shape(double zipf) {
  return {.tokens = 2000, .experts = 16, .choices = 4, .dim = 64, .inter = 64, .zipf = zipf};
}

std::vector<int> loads(const ExpertsShape& s, std::uint64_t seed) {
  std::vector<int> out(static_cast<std::size_t>(s.experts));
  for (const std::int32_t expert : draw_routing(s, seed)) ++out[static_cast<std::size_t>(expert)];
  std::sort(out.rbegin(), out.rend());
  return out;
}

}  // namespace

TEST_CASE("a token goes to an expert once at most", "[measure][routing]") {
  const ExpertsShape s = shape(GENERATE(0.0, 1.0, 3.0));
  const auto routing = draw_routing(s, 3);
  REQUIRE(routing.size() == static_cast<std::size_t>(s.tokens * s.choices));
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const auto first = routing.begin() + t * s.choices;
    const std::set<std::int32_t> chosen(first, first + s.choices);
    REQUIRE(chosen.size() == static_cast<std::size_t>(s.choices));
    REQUIRE(*chosen.begin() >= 0);
    REQUIRE(*chosen.rbegin() < s.experts);
  }
}

TEST_CASE("the same seed routes alike, another one otherwise", "[measure][routing]") {
  CHECK(draw_routing(shape(1.0), 5) == draw_routing(shape(1.0), 5));
  CHECK(draw_routing(shape(1.0), 5) != draw_routing(shape(1.0), 6));
}

TEST_CASE("without skew every expert gets its share", "[measure][routing]") {
  const ExpertsShape s = shape(0.0);
  // An expert is chosen by a token with p = 4 / 16: 500 of 2000, deviation sqrt(n p (1 - p)).
  const double expected = 2000.0 * 4.0 / 16.0;
  const double deviation = std::sqrt(2000.0 * 0.25 * 0.75);
  for (const int load : loads(s, 9))
    CHECK(std::abs(static_cast<double>(load) - expected) < 5.0 * deviation);
}

TEST_CASE("the first choices follow Zipf's law", "[measure][routing]") {
  ExpertsShape s = shape(1.0);
  s.choices = 1;
  s.tokens = 20'000;
  double harmonic = 0.0;
  for (int i = 1; i <= 16; ++i) harmonic += 1.0 / i;
  const std::vector<int> sorted = loads(s, 4);
  for (std::size_t i = 0; i < 4; ++i) {  // apart by many deviations, so the ranks are certain
    const double p = 1.0 / static_cast<double>(i + 1) / harmonic;
    const double deviation = std::sqrt(20'000.0 * p * (1.0 - p));
    CHECK(std::abs(static_cast<double>(sorted[i]) - 20'000.0 * p) < 5.0 * deviation);
  }
}

TEST_CASE("more skew loads the busiest expert more", "[measure][routing][property]") {
  int last = 0;
  for (const double zipf : {0.0, 0.5, 1.0, 2.0}) {
    const int busiest = loads(shape(zipf), 1).front();
    CHECK(busiest > last);
    last = busiest;
  }
}

}  // namespace fathom::measure
