#include "report/plot_scale.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"

using namespace fathom::report;

namespace {

std::vector<std::string> labels(const std::vector<Tick>& all) {
  std::vector<std::string> out;
  for (const Tick& tick : all) {
    if (!tick.label.empty()) out.push_back(tick.label);
  }
  return out;
}

}  // namespace

TEST_CASE("log axes label every decade", "[report][scale]") {
  const Scale scale{.kind = AxisScale::log, .lo = 0.1, .hi = 10000};
  CHECK(labels(ticks(scale, 6)) ==
        std::vector<std::string>{"0.1", "1", "10", "100", "1,000", "10,000"});
}

TEST_CASE("log axes over few decades label 1, 2 and 5", "[report][scale]") {
  const Scale scale{.kind = AxisScale::log, .lo = 1, .hi = 100};
  CHECK(labels(ticks(scale, 7)) ==
        std::vector<std::string>{"1", "2", "5", "10", "20", "50", "100"});
}

TEST_CASE("log axes over many decades thin their labels out", "[report][scale]") {
  const Scale scale{.kind = AxisScale::log, .lo = 1e-12, .hi = 1e12};
  const auto found = labels(ticks(scale, 6));
  CHECK(found.size() >= 4);
  CHECK(found.size() <= 8);
  CHECK(found.front().starts_with("10⁻"));
}

TEST_CASE("axes of powers of two count in Ki", "[report][scale]") {
  const Scale scale{.kind = AxisScale::log2, .lo = 1024, .hi = 131072};
  CHECK(labels(ticks(scale, 7)) == std::vector<std::string>{"1 Ki", "2 Ki", "4 Ki", "8 Ki", "16 Ki",
                                                            "32 Ki", "64 Ki", "128 Ki"});
}

TEST_CASE("linear ticks step by 1, 2 or 5", "[report][scale]") {
  CHECK(labels(ticks({.lo = 0, .hi = 1}, 5)) ==
        std::vector<std::string>{"0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(labels(ticks({.lo = 0, .hi = 20000}, 4)) ==
        std::vector<std::string>{"0", "5,000", "10,000", "15,000", "20,000"});
}

TEST_CASE("every tick lies inside its axis", "[report][scale][property]") {
  const auto kind = GENERATE(AxisScale::linear, AxisScale::log, AxisScale::log2);
  const double lo = GENERATE(1e-9, 0.3, 7.0, 1e6);
  const double factor = GENERATE(1.01, 3.0, 900.0, 1e11);
  const Scale scale{.kind = kind, .lo = lo, .hi = lo * factor};
  CAPTURE(static_cast<int>(kind), lo, factor);
  const auto found = ticks(scale, 6);
  CHECK_FALSE(labels(found).empty());
  CHECK(labels(found).size() <= 16);
  for (const Tick& tick : found) {
    const double share = position(scale, tick.value);  // of a one-pixel axis
    CHECK(share >= -1e-6);
    CHECK(share <= 1 + 1e-6);
  }
}

TEST_CASE("a fitted axis contains its data", "[report][scale][property]") {
  const auto kind = GENERATE(AxisScale::linear, AxisScale::log, AxisScale::log2);
  const auto values =
      GENERATE(std::vector<double>{1, 2, 300}, std::vector<double>{5}, std::vector<double>{1e-12});
  const Scale scale = fit_scale({.scale = kind}, values, false, 0.05);
  CAPTURE(static_cast<int>(kind), values);
  CHECK(scale.lo < scale.hi);
  for (const double value : values) {
    CHECK(scale.lo <= value);
    CHECK(value <= scale.hi);
  }
}

TEST_CASE("bars stand on zero", "[report][scale]") {
  CHECK(fit_scale({}, {90, 100}, true, 0.05).lo == 0.0);
  CHECK(fit_scale({}, {90, 100}, false, 0.05).lo > 0.0);
}

TEST_CASE("limits of the axis win over the data", "[report][scale]") {
  const Scale scale = fit_scale({.min = 2, .max = 8}, {0, 100}, false, 0.05);
  CHECK(scale.lo == 2.0);
  CHECK(scale.hi == 8.0);
}

TEST_CASE("values no axis can show leave it usable", "[report][scale]") {
  const double inf = std::numeric_limits<double>::infinity();
  const double huge = std::numeric_limits<double>::max();
  for (const AxisScale kind : {AxisScale::linear, AxisScale::log, AxisScale::log2}) {
    for (const std::vector<double>& values :
         {std::vector<double>{}, {inf, std::nan("")}, {-1, 0}, {huge, -huge, 5e-324}}) {
      const Scale scale = fit_scale({.scale = kind}, values, false, 0.05);
      CAPTURE(static_cast<int>(kind), values);
      CHECK(scale.lo < scale.hi);
      CHECK(std::isfinite(position(scale, 1)));
    }
  }
}
