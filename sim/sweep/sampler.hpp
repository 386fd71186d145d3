#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::sweep {

enum class SampleKind : std::uint8_t { random, latin_hypercube, sobol };
inline constexpr std::string_view kSampleKindNames[] = {"random", "latin_hypercube", "sobol"};

struct SampleRequest {
  SampleKind kind = SampleKind::random;
  std::int64_t count = 0;
  int dimensions = 0;
  std::uint64_t seed = 0;
  bool operator==(const SampleRequest&) const = default;
};

/// Most dimensions of a Sobol sequence; the other kinds have no limit of their own.
int max_sobol_dimensions();

/// Points of the unit cube, [count][dimensions], every coordinate in [0, 1). The same request gives
/// the same bytes on every machine.
///   random           independent and uniform
///   latin_hypercube  in each dimension one point in each of `count` equal strata, at a uniform
///                    place in it (McKay, Beckman & Conover 1979)
///   sobol            the first points of Boost.Random's sequence (Joe & Kuo's directions), from
///                    the origin on. A seed other than 0 shifts them digitally: each dimension's
///                    digits are XORed with random ones, which keeps every elementary interval
///                    as full as it was.
std::vector<double> sample_unit_cube(const SampleRequest& request);

enum class Scale : std::uint8_t { linear, log };
inline constexpr std::string_view kScaleNames[] = {"linear", "log"};

/// The interval that a coordinate or a grid runs over. Log needs from > 0 and to > 0.
struct Range {
  double from = 0.0;
  double to = 0.0;
  Scale scale = Scale::linear;
  bool integer = false;  ///< `from` and `to` are integers and both are included
  bool operator==(const Range&) const = default;
};

/// The value at `u` in [0, 1): from + u (to - from), or from (to / from)^u. An integer range gives
/// each integer its share of the scale: equal shares when linear, log((k + 1) / k) when log.
double value_at(const Range& range, double u);

/// The index of the choice at `u` among `count` equally likely ones.
std::size_t choice_at(std::size_t count, double u);

/// `count` values from end to end, both exact, in the order of the range. An integer range is
/// rounded and loses repeated values, so it may be shorter. One value: `from`, and `to` must equal
/// it.
std::vector<double> range_values(const Range& range, std::int64_t count);

}  // namespace fathom::sweep
