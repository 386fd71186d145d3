#include "calib/smooth.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "calib/fit.hpp"
#include "calib/folds.hpp"
#include "calib/least_squares.hpp"
#include "core/error.hpp"

namespace fathom::calib {
namespace {

constexpr std::size_t kNearest = 12;
constexpr std::size_t kKriging = 24;
constexpr double kFade = 0.15;  // weight of the bare form among the neighbours
constexpr int kInnerFolds = 15;
constexpr std::size_t kInnerTargets = 300;
// A ratio counts as a factor of 2.7 at most: one spike must not bend its neighbourhood.
constexpr double kLargest = 1.0;
// Further tightening of what a table would match exactly, for kernels that jump from row to row.
constexpr double kMatched = 6.0;
// The mean of a few choices that are about as good errs less than the best of them.
constexpr std::size_t kMembers = 3;
constexpr double kAsGood = 1.05;

std::vector<double> position(const Measurement& row, const SmoothChoice& choice) {
  std::vector<double> out;
  out.reserve(choice.scales.size());
  const auto add = [&](const std::vector<double>& values) {
    for (const double value : values) {
      out.push_back(std::log2(std::max(value, 0.0) + 1.0) * choice.scales[out.size()]);
    }
  };
  FATHOM_EXPECT(row.exact.size() + row.axes.size() == choice.scales.size(),
                "a scale for every number of a row");
  add(row.exact);
  add(row.axes);
  if (out.empty()) out.push_back(0.0);
  return out;
}

// Matern 3/2 over octaves, and a wide part for what a whole region shares.
double covariance(double distance2) {
  const double d = std::sqrt(3.0 * distance2);
  return 0.7 * (1.0 + d) * std::exp(-d) + 0.3 * (1.0 + d / 4.0) * std::exp(-d / 4.0);
}

double distance2(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

double kriged(const KdTree& tree, const std::vector<double>& ratios,
              const std::vector<Neighbour>& near, double nugget) {
  const std::size_t n = near.size();
  std::vector<double> a(n * n);
  std::vector<double> weights(n);
  for (std::size_t i = 0; i < n; ++i) {
    weights[i] = ratios[near[i].index];
    for (std::size_t j = 0; j <= i; ++j) {
      a[i * n + j] = a[j * n + i] =
          covariance(distance2(tree.point(near[i].index), tree.point(near[j].index)));
    }
    a[i * n + i] += nugget;
  }
  if (!solve_cholesky(a, weights)) return 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += weights[i] * covariance(near[i].distance2);
  return sum;
}

double faded_mean(const std::vector<double>& ratios, const std::vector<Neighbour>& near) {
  double weights = kFade;
  double sum = 0.0;
  for (const Neighbour& neighbour : near) {
    const double w = std::exp(-0.5 * neighbour.distance2);
    weights += w;
    sum += w * ratios[neighbour.index];
  }
  return sum / weights;
}

// Mean error of the ratio over some rows, each predicted without the slices of its fold.
class InnerTrial {
 public:
  InnerTrial(std::span<const Measurement* const> rows, std::span<const double> log_ratios)
      : rows_(rows), log_ratios_(log_ratios) {
    Dataset all;
    for (const Measurement* row : rows) all.rows.push_back({.slice = row->slice});
    const std::array<const Dataset*, 1> one{&all};
    const SliceFolds folds = slice_folds(one, kInnerFolds);
    for (const Measurement* row : rows) folds_.push_back(folds.at(row->slice));
    targets_ = sample_indices(rows.size(), kInnerTargets, 3);
  }

  double operator()(const SmoothChoice& choice) const {
    const RatioSmoother smoother{rows_, log_ratios_, {choice}, folds_};
    double sum = 0.0;
    for (const std::size_t i : targets_) {
      sum +=
          std::min(kLargest, std::abs(log_ratios_[i] - smoother.log_ratio(*rows_[i], folds_[i])));
    }
    return sum;
  }

 private:
  std::span<const Measurement* const> rows_;
  std::span<const double> log_ratios_;
  std::vector<int> folds_;
  std::vector<std::size_t> targets_;
};

// Every choice tried, with its error; the best so far moves on gains of 0.5 % or more, which a few
// hundred targets can tell from chance.
struct Search {
  const InnerTrial& trial;
  std::vector<std::pair<double, SmoothChoice>> tried;
  SmoothChoice best;
  double error = std::numeric_limits<double>::infinity();

  bool offer(const SmoothChoice& other) {
    const double found = trial(other);
    tried.emplace_back(found, other);
    if (found >= 0.995 * error) return false;
    best = other;
    error = found;
    return true;
  }
};

// One number at a time: tighter or wider by 2, again while that helps.
void refine_scales(Search& search) {
  constexpr int kRepeats = 3;
  for (std::size_t d = 0; d < search.best.scales.size(); ++d) {
    for (const double factor : {2.0, 0.5}) {
      for (int again = 0; again < kRepeats; ++again) {
        SmoothChoice other = search.best;
        other.scales[d] *= factor;
        if (!search.offer(other)) break;
      }
    }
  }
}

}  // namespace

std::string_view name(Smoothing smoothing) {
  constexpr std::array<std::string_view, 3> names{"none", "nearest", "kriging"};
  return names.at(static_cast<std::size_t>(smoothing));
}

SmoothChoice nearest_rows(const Measurement& row) {
  SmoothChoice out;
  out.scales.assign(row.exact.size(), 3.0);
  out.scales.resize(row.exact.size() + row.axes.size(), 1.0);
  return out;
}

RatioSmoother::Member RatioSmoother::member(std::span<const Measurement* const> rows,
                                            std::span<const double> log_ratios, SmoothChoice choice,
                                            std::span<const int> folds) {
  Member out{std::move(choice), {}};
  if (out.choice.method == Smoothing::none) return out;
  std::map<std::string_view, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < rows.size(); ++i) members[rows[i]->labels].push_back(i);
  for (const auto& [labels, indices] : members) {
    std::vector<double> points;
    std::vector<double> ratios;
    std::vector<int> own_folds;
    std::size_t dimensions = 1;
    for (const std::size_t i : indices) {
      const std::vector<double> at = position(*rows[i], out.choice);
      dimensions = at.size();
      points.insert(points.end(), at.begin(), at.end());
      ratios.push_back(std::clamp(log_ratios[i], -kLargest, kLargest));
      if (!folds.empty()) own_folds.push_back(folds[i]);
    }
    out.clouds.emplace(labels, Cloud{KdTree{std::move(points), dimensions}, std::move(ratios),
                                     std::move(own_folds)});
  }
  return out;
}

RatioSmoother::RatioSmoother(std::span<const Measurement* const> rows,
                             std::span<const double> log_ratios, std::vector<SmoothChoice> choices,
                             std::span<const int> folds) {
  for (SmoothChoice& choice : choices) {
    members_.push_back(member(rows, log_ratios, std::move(choice), folds));
  }
}

double RatioSmoother::log_ratio(const Member& member, const Measurement& at, int without_fold) {
  if (member.choice.method == Smoothing::none) return 0.0;
  const auto found = member.clouds.find(at.labels);
  if (found == member.clouds.end()) return 0.0;
  const Cloud& cloud = found->second;
  const bool kriging = member.choice.method == Smoothing::kriging;
  std::vector<Neighbour> near;
  cloud.tree.nearest(position(at, member.choice), kriging ? kKriging : kNearest,
                     {cloud.folds, without_fold}, near);
  return kriging ? kriged(cloud.tree, cloud.log_ratios, near, member.choice.nugget)
                 : faded_mean(cloud.log_ratios, near);
}

double RatioSmoother::log_ratio(const Measurement& at, int without_fold) const {
  if (members_.empty()) return 0.0;
  double sum = 0.0;
  for (const Member& m : members_) sum += log_ratio(m, at, without_fold);
  return sum / static_cast<double>(members_.size());
}

std::vector<SmoothChoice> choose_smoothing(std::span<const Measurement* const> rows,
                                           std::span<const double> log_ratios) {
  if (rows.empty()) return {};
  const InnerTrial trial{rows, log_ratios};
  Search search{.trial = trial};
  const SmoothChoice plain = nearest_rows(*rows.front());
  search.offer(plain);
  search.offer({.method = Smoothing::none, .scales = plain.scales});
  const std::size_t exact = rows.front()->exact.size();
  for (const double nugget : {0.03, 0.1, 0.3}) {
    for (const double wide : {0.25, 0.5, 1.0}) {
      SmoothChoice other{Smoothing::kriging, plain.scales, nugget};
      for (double& scale : other.scales) scale *= wide;
      search.offer(other);
      for (std::size_t d = 0; d < exact; ++d) other.scales[d] *= kMatched;
      search.offer(other);
    }
  }
  if (search.best.method == Smoothing::kriging) refine_scales(search);
  std::ranges::stable_sort(search.tried, {}, [](const auto& entry) { return entry.first; });
  std::vector<SmoothChoice> out;
  for (const auto& [error, choice] : search.tried) {
    if (out.size() == kMembers || error > kAsGood * search.tried.front().first) break;
    out.push_back(choice);
  }
  return out;
}

}  // namespace fathom::calib
