#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "verify/replay.hpp"

namespace fathom::verify {

/// One expected tensor of one run.
struct Comparison {
  std::string tensor;
  bool f64 = false;  // the float64 run against the float64 file
  std::int64_t elements = 0;
  std::int64_t outside = 0;  // elements outside of the tolerance
  double max_error = 0.0;    // largest absolute difference over finite elements
  double tolerance = 0.0;    // absolute part of what is allowed
  bool pass = false;
  std::string note;  // why it failed, or which rule was used; empty in the plain case
};

/// Absolute tolerance of the float64 run.
inline constexpr double kTolerance64 = 1e-11;
/// Tolerance of a float32 run where the case states none, times the largest expected value: three
/// units in the last place of a float.
inline constexpr double kRelative32 = 4e-7;

/// Holds `produced` against every tensor of the case's `expected`, in the order of the file; with
/// T = double only against those that have a float64 file. InputError when an expected file cannot
/// be read.
template <class T>
std::vector<Comparison> compare(const GoldenCase& golden, const Produced<T>& produced);

}  // namespace fathom::verify
