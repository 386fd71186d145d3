#include "calib/train.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "calib/kd_tree.hpp"
#include "calib/score.hpp"
#include "calib/smooth.hpp"

namespace fathom::calib {
namespace {

constexpr double kSpike = 1.8;      // factor off the form and off the neighbours
constexpr double kAgreement = 1.2;  // factor within which neighbours agree
constexpr std::size_t kNeighbours = 6;
constexpr double kReach2 = 9.0;  // squared octaves; what is farther is no neighbour

// Whether a row stands out of the neighbours' log ratios.
bool stands_out(double log_ratio, const std::vector<double>& neighbours) {
  if (neighbours.size() < 4) return false;
  const double middle = quantile(neighbours, 0.5);
  const auto agree = std::ranges::count_if(neighbours, [middle](double other) {
    return std::abs(other - middle) <= std::log(kAgreement);
  });
  const double apart = log_ratio - middle;
  return agree + 1 >= std::ssize(neighbours) && std::abs(apart) > std::log(kSpike) &&
         std::abs(log_ratio) > std::log(kSpike) && (apart > 0.0) == (log_ratio > 0.0);
}

std::vector<double> log_ratios_of(const forms::Form& form, const Fit& fit,
                                  std::span<const Sample> samples) {
  std::vector<double> out;
  out.reserve(samples.size());
  for (const Sample& s : samples) {
    out.push_back(std::log(s.row->latency_s / predict(form, fit, *s.row, *s.device)));
  }
  return out;
}

Fit start_values(const forms::Form& form, std::string_view group) {
  Fit out{.group = std::string(group)};
  for (const forms::ParamRange& range : form.ranges(group)) out.values.push_back(range.start);
  return out;
}

std::vector<double> octaves(const Measurement& row) {
  std::vector<double> out;
  for (const double v : row.exact) out.push_back(3.0 * std::log2(std::max(v, 0.0) + 1.0));
  for (const double v : row.axes) out.push_back(std::log2(std::max(v, 0.0) + 1.0));
  if (out.empty()) out.push_back(0.0);
  return out;
}

}  // namespace

std::vector<std::size_t> isolated_spikes(std::span<const Measurement* const> rows,
                                         std::span<const double> log_ratios) {
  std::map<std::string_view, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < rows.size(); ++i) members[rows[i]->labels].push_back(i);
  std::vector<std::size_t> out;
  std::vector<Neighbour> near;
  for (const auto& [labels, indices] : members) {
    std::vector<double> points;
    std::size_t dimensions = 1;
    for (const std::size_t i : indices) {
      const std::vector<double> at = octaves(*rows[i]);
      dimensions = at.size();
      points.insert(points.end(), at.begin(), at.end());
    }
    const KdTree tree{std::move(points), dimensions};
    for (std::size_t own = 0; own < indices.size(); ++own) {
      if (std::abs(log_ratios[indices[own]]) <= std::log(kSpike)) continue;
      tree.nearest(tree.point(own), kNeighbours + 1, {}, near);
      std::vector<double> others;
      for (const Neighbour& n : near) {
        if (n.index != own && n.distance2 <= kReach2) {
          others.push_back(log_ratios[indices[n.index]]);
        }
      }
      if (stands_out(log_ratios[indices[own]], others)) out.push_back(indices[own]);
    }
  }
  std::ranges::sort(out);
  return out;
}

Trained train(const forms::Form& form, std::string_view group, std::span<const Sample> samples,
              const FitOptions& options) {
  Trained out;
  if (samples.empty()) return {.fit = start_values(form, group)};
  out.fit = fit(form, group, samples, options);
  out.log_ratios = log_ratios_of(form, out.fit, samples);
  for (const Sample& sample : samples) out.rows.push_back(sample.row);
  const std::vector<std::size_t> spikes = isolated_spikes(out.rows, out.log_ratios);
  if (spikes.empty()) return out;
  std::vector<Sample> kept;
  out.rows.clear();
  for (std::size_t i = 0, s = 0; i < samples.size(); ++i) {
    if (s < spikes.size() && spikes[s] == i) {
      out.spikes.push_back(samples[i].row);
      ++s;
      continue;
    }
    kept.push_back(samples[i]);
    out.rows.push_back(samples[i].row);
  }
  FitOptions again = options;
  again.begin = out.fit.values;
  out.fit = fit(form, group, kept, again);
  out.log_ratios = log_ratios_of(form, out.fit, kept);
  return out;
}

}  // namespace fathom::calib
