#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calib/kd_tree.hpp"
#include "calib/measurement.hpp"

namespace fathom::calib {

/// How ln(measured / form) of a table's rows is carried to a shape between them.
enum class Smoothing : std::uint8_t {
  none,     ///< not at all: the bare form
  nearest,  ///< sum(w r) / (0.15 + sum w) of the 12 nearest rows, w = exp(-d^2 / 2)
  kriging,  ///< interpolation that knows the noise, by the covariance of the 24 nearest rows
};
std::string_view name(Smoothing smoothing);

/// Distances are octaves of each number times its scale: first the numbers that a table would match
/// exactly, then its axes.
struct SmoothChoice {
  Smoothing method = Smoothing::nearest;
  std::vector<double> scales;
  double nugget = 0.1;  // kriging: noise of a row, relative to how far ratios spread
  bool operator==(const SmoothChoice&) const = default;
};

/// 12 nearest rows, an octave for each axis, a third of one for what a table would match exactly.
SmoothChoice nearest_rows(const Measurement& row);

/// The ratios of one sub-fit's rows. A row borrows only from rows with the same labels, and the
/// ratio fades to 1 far from all of them.
class RatioSmoother {
 public:
  /// The mean of what each choice says. `folds`, one per row or empty, lets log_ratio() leave a
  /// fold out.
  RatioSmoother(std::span<const Measurement* const> rows, std::span<const double> log_ratios,
                std::vector<SmoothChoice> choices, std::span<const int> folds = {});
  double log_ratio(const Measurement& at, int without_fold = -1) const;

 private:
  struct Cloud {
    KdTree tree;
    std::vector<double> log_ratios;
    std::vector<int> folds;
  };
  struct Member {
    SmoothChoice choice;
    std::map<std::string, Cloud, std::less<>> clouds;  // by labels
  };
  static Member member(std::span<const Measurement* const> rows, std::span<const double> log_ratios,
                       SmoothChoice choice, std::span<const int> folds);
  static double log_ratio(const Member& member, const Measurement& at, int without_fold);

  std::vector<Member> members_;
};

/// The methods and scales that predict whole slices best from the others, best first, at most three
/// that are about as good: cross-validated inside these rows only.
std::vector<SmoothChoice> choose_smoothing(std::span<const Measurement* const> rows,
                                           std::span<const double> log_ratios);

}  // namespace fathom::calib
