#include "calib/score.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace fathom::calib {

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0.0;
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), nth, values.end());
  const double low = *nth;
  if (below + 1 >= values.size()) return low;
  const double high = *std::min_element(nth + 1, values.end());
  return low + (position - static_cast<double>(below)) * (high - low);
}

Score score(std::span<const double> predicted, std::span<const double> measured) {
  FATHOM_EXPECT(predicted.size() == measured.size(), "a prediction for every measurement");
  Score out{.rows = static_cast<std::int64_t>(measured.size())};
  if (measured.empty()) return out;
  std::vector<double> errors;
  double logs = 0.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const double log_ratio = std::log(predicted[i] / measured[i]);
    errors.push_back(std::abs(predicted[i] / measured[i] - 1.0));
    logs += log_ratio;
    worst = std::max(worst, std::abs(log_ratio));
  }
  out.median = quantile(errors, 0.5);
  out.p90 = quantile(std::move(errors), 0.9);
  out.worst = std::exp(worst);
  out.bias = std::exp(logs / static_cast<double>(measured.size())) - 1.0;
  return out;
}

nlohmann::json to_json(const Score& s) {
  return {{"rows", s.rows},
          {"median", s.median},
          {"p90", s.p90},
          {"worst_factor", s.worst},
          {"bias", s.bias}};
}

}  // namespace fathom::calib
