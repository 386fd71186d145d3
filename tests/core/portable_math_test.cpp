#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "catch.hpp"
#include "core/fnv.hpp"
#include "core/portable_math.hpp"
#include "core/rng.hpp"

using namespace fathom;

namespace {

// In units of the last place of the double nearest to it.
double error(double value, long double exact) {
  const double near = std::abs(static_cast<double>(exact));
  const double place = std::nextafter(near, std::numeric_limits<double>::infinity()) - near;
  return static_cast<double>(std::abs(static_cast<long double>(value) - exact)) / place;
}

template <class Mine, class Theirs>
double worst(const Mine& mine, const Theirs& theirs) {
  Rng random{1};
  double out = 0.0;
  for (int i = 0; i < 200'000; ++i) {
    const double x = random.uniform();
    const double y = random.uniform();
    out = std::max(out, error(mine(x, y), theirs(x, y)));
  }
  return out;
}

}  // namespace

// long double must have more bits than double: it has 64 or 113 where these tests run.
static_assert(std::numeric_limits<long double>::digits > 60);

TEST_CASE("portable functions are within one unit of the last place", "[core][math]") {
  CHECK(worst([](double x, double) { return portable::exp(1400.0 * x - 700.0); },
              [](double x, double) {
                return std::exp(static_cast<long double>(1400.0 * x - 700.0));
              }) < 0.6);
  CHECK(worst([](double x, double) { return portable::log(1e3 * x); },
              [](double x, double) { return std::log(static_cast<long double>(1e3 * x)); }) < 0.6);
  CHECK(worst([](double x, double) { return portable::log(0.99 + 0.02 * x); },
              [](double x, double) {
                return std::log(static_cast<long double>(0.99 + 0.02 * x));
              }) < 0.6);
  CHECK(worst([](double x, double) { return portable::log1p(2.0 * x - 0.99); },
              [](double x, double) {
                return std::log1p(static_cast<long double>(2.0 * x - 0.99));
              }) <= 1.0);
  CHECK(worst([](double x, double) { return portable::log2(1e6 * x); },
              [](double x, double) { return std::log2(static_cast<long double>(1e6 * x)); }) < 0.6);
  CHECK(worst([](double x, double y) { return portable::pow(10.0 * x, 40.0 * y - 20.0); },
              [](double x, double y) {
                return std::pow(static_cast<long double>(10.0 * x),
                                static_cast<long double>(40.0 * y - 20.0));
              }) < 0.6);
}

TEST_CASE("powers of two have whole logarithms", "[core][math]") {
  for (int k = -1074; k < 1024; ++k) CHECK(portable::log2(std::ldexp(1.0, k)) == k);
}

TEST_CASE("powers that are doubles are exact", "[core][math]") {
  CHECK(portable::pow(10.0, 3.0) == 1000.0);
  CHECK(portable::pow(2.0, -10.0) == 0x1p-10);
  CHECK(portable::pow(7.0, 1.0) == 7.0);
  CHECK(portable::pow(7.0, 0.0) == 1.0);
  CHECK(portable::exp(0.0) == 1.0);
  CHECK(portable::log(1.0) == 0.0);
  CHECK(portable::log1p(0.0) == 0.0);
}

TEST_CASE("beyond the range there is zero or infinity", "[core][math]") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(portable::exp(710.0) == infinity);
  CHECK(portable::exp(-746.0) == 0.0);
  CHECK(portable::exp(-infinity) == 0.0);
  CHECK(portable::log(0.0) == -infinity);
  CHECK(portable::log(infinity) == infinity);
  CHECK(std::isnan(portable::log(-1.0)));
  CHECK(portable::pow(0.0, 2.0) == 0.0);
  CHECK(portable::pow(10.0, 400.0) == infinity);
  CHECK(portable::pow(10.0, -400.0) == 0.0);
  CHECK(portable::pow(2.0, -1074.0) == std::numeric_limits<double>::denorm_min());
}

// The promise itself: whoever compiles this, for whatever processor, gets these bits.
TEST_CASE("portable functions give the same bits everywhere", "[core][math]") {
  Rng random{1};
  std::string bits;
  for (int i = 0; i < 10'000; ++i) {
    const double x = 20.0 * random.uniform();
    const double y = 20.0 * random.uniform() - 10.0;
    for (const double v : {portable::pow(x, y), portable::exp(y), portable::log(x),
                           portable::log1p(x), portable::log2(x)}) {
      const auto word = std::bit_cast<std::uint64_t>(v);
      for (unsigned shift = 0; shift < 64; shift += 8)
        bits += static_cast<char>((word >> shift) & 0xffU);
    }
  }
  CHECK(fnv1a(bits) == 0x0ff7b9fb1cee596fU);
}
