#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "study/kernel_error.hpp"
#include "validate/setup.hpp"

namespace fathom::validate {

using study::Cause;
using study::Draw;
using study::draws;
using study::kCauseCount;
using study::sigma;

/// What a source leaves open and a number can bound.
enum class Unknown : std::uint8_t { load, software, batch, acceptance };
inline constexpr std::array<std::string_view, 4> kUnknownNames{"load", "software", "batch",
                                                               "acceptance"};
using Unknowns = std::bitset<kUnknownNames.size()>;

/// The set-up as it would be if each cause had come out as drawn. Scheduling is not linear, so the
/// draw moves the efficiencies and the step is scheduled again.
Setup varied(const Setup& setup, const Draw& draw, Unknowns unknowns);

/// varied() of one set-up draw after draw, without copying what no draw moves.
class Variations {
 public:
  explicit Variations(const Setup& setup);
  /// Changed in place, until the next call.
  Setup& at(const Draw& draw, Unknowns unknowns);

 private:
  const Setup& original_;
  Setup varied_;
  std::vector<study::FormPowers> powers_;  // per cluster
};

/// A ratio of two set-ups errs in each by what their shapes do not share, even where a family's
/// error cancels.
double shape_factor(const Draw& draw);

struct Interval {
  double p10 = 0.0;
  double p90 = 0.0;
  bool operator==(const Interval&) const = default;
};

/// Of a sample; linear between order statistics.
Interval interval_of(std::vector<double> sample);

/// A sentence for reports: what intervals rest on.
std::string_view interval_basis();

}  // namespace fathom::validate
