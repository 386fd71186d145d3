#include "calib/bands.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "calib/score.hpp"
#include "core/error.hpp"

namespace fathom::calib {
namespace {

constexpr std::size_t kFew = 10;

Band band_of(const std::vector<double>& log_ratios, const BandOptions& options) {
  if (log_ratios.empty()) return {-1.0, 1.0};
  // The rank is that of a new observation among n: (1 + 1/n) of the share.
  const auto n = static_cast<double>(log_ratios.size());
  const double upper = std::min(1.0, (0.5 + options.level / 2.0) * (1.0 + 1.0 / n));
  return {options.inflate * std::min(quantile(log_ratios, 1.0 - upper), -options.floor),
          options.inflate * std::max(quantile(log_ratios, upper), options.floor)};
}

std::size_t third_of(const std::array<double, 2>& edges, double predicted) {
  return (predicted > edges[0] ? 1U : 0U) + (predicted > edges[1] ? 1U : 0U);
}

}  // namespace

BandTable::BandTable(std::span<const Residual> residuals, const BandOptions& options) {
  std::vector<double> all;
  std::map<std::string, std::vector<const Residual*>, std::less<>> members;
  for (const Residual& r : residuals) {
    all.push_back(r.log_ratio);
    members[std::string(r.group)].push_back(&r);
  }
  all_ = band_of(all, options);
  for (const auto& [group, rows] : members) {
    std::vector<double> times;
    for (const Residual* r : rows) times.push_back(r->predicted_s);
    Thirds thirds{.edges_s = {quantile(times, 1.0 / 3.0), quantile(times, 2.0 / 3.0)}};
    std::array<std::vector<double>, 3> parts;
    for (const Residual* r : rows) {
      parts.at(third_of(thirds.edges_s, r->predicted_s)).push_back(r->log_ratio);
    }
    for (std::size_t k = 0; k < parts.size(); ++k) {
      thirds.bands.at(k) = parts.at(k).size() < kFew ? all_ : band_of(parts.at(k), options);
    }
    groups_.emplace(group, thirds);
  }
}

Band BandTable::at(std::string_view group, double predicted_s) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return all_;
  return found->second.bands.at(third_of(found->second.edges_s, predicted_s));
}

double coverage(std::span<const Residual> residuals, std::span<const int> folds,
                const BandOptions& options) {
  FATHOM_EXPECT(residuals.size() == folds.size(), "a fold for every row");
  if (residuals.empty()) return 0.0;
  std::int64_t inside = 0;
  for (const int fold : std::set<int>(folds.begin(), folds.end())) {
    std::vector<Residual> others;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      if (folds[i] != fold) others.push_back(residuals[i]);
    }
    const BandTable table{others, options};
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      if (folds[i] != fold) continue;
      const Band band = table.at(residuals[i].group, residuals[i].predicted_s);
      inside += band.contains(residuals[i].log_ratio) ? 1 : 0;
    }
  }
  return static_cast<double>(inside) / static_cast<double>(residuals.size());
}

}  // namespace fathom::calib
