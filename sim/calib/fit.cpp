#include "calib/fit.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "calib/least_squares.hpp"
#include "core/rng.hpp"

namespace fathom::calib {
namespace {

// Below any kernel: keeps the logarithm finite where a form returns nothing.
constexpr double kShortest = 1e-12;

struct Search {
  Box box;
  std::vector<double> start;  // logarithms
};

Search search_space(std::span<const forms::ParamRange> ranges) {
  Search search;
  for (const forms::ParamRange& range : ranges) {
    search.box.low.push_back(std::log(range.low));
    search.box.high.push_back(std::log(range.high));
    search.start.push_back(std::log(range.start));
  }
  return search;
}

}  // namespace

std::vector<std::size_t> sample_indices(std::size_t n, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (n <= count) return all;
  Rng{seed}.choose<std::size_t>(all, count);
  all.resize(count);
  std::ranges::sort(all);
  return all;
}

Fit fit(const forms::Form& form, std::string_view group, std::span<const Sample> samples,
        const FitOptions& options) {
  const std::vector<forms::ParamRange> ranges = form.ranges(group);
  const Search search = search_space(ranges);
  const auto chosen =
      sample_indices(samples.size(), static_cast<std::size_t>(options.max_rows), options.seed);
  const std::size_t rows = chosen.size();
  const double pull = options.ridge * std::sqrt(static_cast<double>(rows));
  std::vector<double> params(ranges.size());
  const Residuals residuals = [&](std::span<const double> theta, std::span<double> out) {
    for (std::size_t j = 0; j < theta.size(); ++j) {
      params[j] = std::exp(theta[j]);
      out[rows + j] = pull * (theta[j] - search.start[j]);
    }
    for (std::size_t i = 0; i < rows; ++i) {
      const Sample& sample = samples[chosen[i]];
      const double time = form.seconds(group, params, sample.row->shape, *sample.device);
      out[i] = std::log(std::max(time, kShortest) / sample.row->latency_s);
    }
  };
  std::vector<double> begin = search.start;
  for (std::size_t j = 0; j < options.begin.size(); ++j) begin[j] = std::log(options.begin[j]);
  const Solution solution =
      minimize(residuals, rows + ranges.size(), search.box, std::move(begin),
               {.loss_scale = options.loss_scale, .max_iterations = options.max_iterations});
  Fit out{std::string(group), {}, static_cast<std::int64_t>(rows), solution.cost};
  for (const double theta : solution.theta) out.values.push_back(std::exp(theta));
  return out;
}

double predict(const forms::Form& form, const Fit& fit, const Measurement& row,
               const forms::DeviceFigures& device) {
  return std::max(kShortest, form.seconds(fit.group, fit.values, row.shape, device));
}

}  // namespace fathom::calib
