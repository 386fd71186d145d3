#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::calib {

/// Quantiles of ln(measured / predicted).
struct Band {
  double low = 0.0;
  double high = 0.0;
  bool contains(double log_ratio) const { return log_ratio >= low && log_ratio <= high; }
  bool operator==(const Band&) const = default;
};

struct BandOptions {
  double level = 0.9;    // two-sided: 5 % and 95 %
  double inflate = 1.3;  // slices are few, so raw quantiles cover less than they say
  double floor = 0.02;   // repeatability of the measurements
};

/// A prediction and what was measured, out of sample.
struct Residual {
  std::string_view group;
  double predicted_s = 0.0;
  double log_ratio = 0.0;  // ln(measured / predicted)
};

/// Bands by sub-fit and by third of the predicted time; all rows together where one has few.
class BandTable {
 public:
  explicit BandTable(std::span<const Residual> residuals, const BandOptions& options = {});
  Band at(std::string_view group, double predicted_s) const;

  struct Thirds {
    std::array<double, 2> edges_s{};  // predicted time
    std::array<Band, 3> bands;
  };
  const std::map<std::string, Thirds, std::less<>>& groups() const { return groups_; }

 private:
  Band all_;
  std::map<std::string, Thirds, std::less<>> groups_;
};

/// Share of rows inside bands made from the residuals of the other folds; 0 for no rows.
double coverage(std::span<const Residual> residuals, std::span<const int> folds,
                const BandOptions& options = {});

}  // namespace fathom::calib
