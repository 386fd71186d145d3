#include "sweep/sampler.hpp"

#include <algorithm>
#include <boost/random/sobol.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/rng.hpp"

namespace fathom::sweep {
namespace {

// The largest double below 1: what rounds up to 1 must stay in the cube.
constexpr double kBelowOne = 1.0 - 0x1p-53;

std::vector<double> random_points(std::size_t count, std::size_t dimensions, Rng& rng) {
  std::vector<double> u(count * dimensions);
  for (double& x : u) x = rng.uniform();
  return u;
}

std::vector<double> latin_hypercube(std::size_t count, std::size_t dimensions, Rng& rng) {
  std::vector<double> u(count * dimensions);
  std::vector<std::size_t> strata(count);
  const auto n = static_cast<double>(count);
  for (std::size_t d = 0; d < dimensions; ++d) {
    for (std::size_t i = 0; i < count; ++i) strata[i] = i;
    rng.choose(std::span(strata), count);
    for (std::size_t i = 0; i < count; ++i) {
      // A sum that rounds up would leave the stratum.
      const auto stratum = static_cast<double>(strata[i]);
      const double x = (stratum + rng.uniform()) / n;
      u[i * dimensions + d] = std::min(x, std::nextafter((stratum + 1.0) / n, 0.0));
    }
  }
  return u;
}

std::vector<double> sobol_points(std::size_t count, std::size_t dimensions, std::uint64_t seed) {
  FATHOM_EXPECT(dimensions <= static_cast<std::size_t>(max_sobol_dimensions()),
                "Boost.Random tabulates fewer directions");
  std::vector<std::uint64_t> shift(dimensions, 0);
  if (seed != 0) {
    Rng rng{seed};
    // 53 random digits: as many as a coordinate keeps.
    for (std::uint64_t& s : shift) s = static_cast<std::uint64_t>(rng.uniform() * 0x1p53) << 11U;
  }
  std::vector<double> u(count * dimensions);
  boost::random::sobol engine(dimensions);
  for (std::size_t i = 0; i < u.size(); ++i) {
    // The engine leaves out the origin, without which the first 2^k points are no net.
    const std::uint64_t digits = i < dimensions ? 0 : engine();
    u[i] = static_cast<double>((digits ^ shift[i % dimensions]) >> 11U) * 0x1p-53;
  }
  return u;
}

double between(const Range& range, double share) {
  if (range.scale == Scale::linear) return range.from + share * (range.to - range.from);
  return range.from * std::pow(range.to / range.from, share);
}

double clamped(const Range& range, double value) {
  return std::clamp(value, std::min(range.from, range.to), std::max(range.from, range.to));
}

void check(const Range& range) {
  FATHOM_EXPECT(std::isfinite(range.from) && std::isfinite(range.to), "a range has ends");
  FATHOM_EXPECT(range.scale == Scale::linear || (range.from > 0.0 && range.to > 0.0),
                "a logarithmic range is positive");
}

}  // namespace

int max_sobol_dimensions() {
  return static_cast<int>(boost::random::default_sobol_table::max_dimension);
}

std::vector<double> sample_unit_cube(const SampleRequest& request) {
  FATHOM_EXPECT(request.count >= 0 && request.dimensions > 0, "a sample has points to fill");
  const auto count = static_cast<std::size_t>(request.count);
  const auto dimensions = static_cast<std::size_t>(request.dimensions);
  Rng rng{request.seed};
  switch (request.kind) {
    case SampleKind::random:
      return random_points(count, dimensions, rng);
    case SampleKind::latin_hypercube:
      return latin_hypercube(count, dimensions, rng);
    default:
      return sobol_points(count, dimensions, request.seed);
  }
}

double value_at(const Range& range, double u) {
  check(range);
  const double x = std::clamp(u, 0.0, kBelowOne);
  if (!range.integer) return clamped(range, between(range, x));
  // Each integer k stands for [k, k + 1): the upper end is one higher, and floor() picks k.
  const double low = std::min(range.from, range.to);
  const double high = std::max(range.from, range.to);
  const Range cells{.from = low, .to = high + 1.0, .scale = range.scale};
  return clamped(range, std::floor(between(cells, x)));
}

std::size_t choice_at(std::size_t count, double u) {
  FATHOM_EXPECT(count > 0, "a choice has values");
  const auto index =
      static_cast<std::size_t>(std::clamp(u, 0.0, kBelowOne) * static_cast<double>(count));
  return std::min(index, count - 1);
}

std::vector<double> range_values(const Range& range, std::int64_t count) {
  check(range);
  FATHOM_EXPECT(count > 1 || (count == 1 && range.from == range.to), "a range has both ends");
  std::vector<double> out;
  for (std::int64_t i = 0; i < count; ++i) {
    const double share = count == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(count - 1);
    double value = clamped(range, between(range, share));
    if (i == 0) value = range.from;
    if (i == count - 1) value = range.to;
    if (range.integer) value = std::round(value);
    if (out.empty() || out.back() != value) out.push_back(value);
  }
  return out;
}

}  // namespace fathom::sweep
