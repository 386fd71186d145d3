#include "mapping/routed_load.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/portable_math.hpp"

namespace fathom::mapping {
namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// clamp(c w, low, high) with the c that makes them sum to `total`; high binds every weight alike.
std::vector<double> proportional(std::span<const double> weights, std::span<const double> low,
                                 double high, double total) {
  // an expert that nothing was seen to choose can still take what the others cannot
  const double mean = sum(weights) / static_cast<double>(weights.size());
  const double least = mean > 0.0 ? 1e-9 * mean : 1.0;
  std::vector<double> out(weights.size());
  const auto fill = [&](double log_scale) {
    const double scale = portable::exp(log_scale) / std::max(mean, least);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double floor = low.empty() ? 0.0 : low[i];
      out[i] = std::clamp(scale * std::max(weights[i], least), floor, high);
    }
    return sum(out);
  };
  double below = -60.0;
  double above = 60.0;
  for (int i = 0; i < 100; ++i) {
    const double middle = (below + above) / 2.0;
    (fill(middle) < total ? below : above) = middle;
  }
  fill(above);
  return out;
}

struct GroupBounds {
  std::vector<double> load;  // experts per token in each group
  std::vector<double> most;  // of its most popular expert
};

GroupBounds bounds(std::span<const double> experts, std::int64_t groups) {
  GroupBounds out;
  const std::size_t size = experts.size() / index(groups);
  for (std::size_t begin = 0; begin < experts.size(); begin += size) {
    const auto group = experts.subspan(begin, size);
    out.load.push_back(sum(group));
    out.most.push_back(*std::ranges::max_element(group));
  }
  return out;
}

// An expert is chosen at most as often as its group, so the groups' hottest experts share the
// topk_group places. topk_group / n_group for each always fits.
std::vector<double> within_groups(std::span<const double> popularity, const RouterShape& router) {
  const auto topk = static_cast<double>(router.topk);
  const auto kept = static_cast<double>(router.topk_group);
  const auto fits = [&](double cap) {
    const auto experts = proportional(popularity, {}, cap, topk);
    return sum(bounds(experts, router.n_group).most) <= kept;
  };
  if (fits(1.0)) return proportional(popularity, {}, 1.0, topk);
  double below = kept / static_cast<double>(router.n_group);
  double above = 1.0;
  for (int i = 0; i < 20; ++i) {
    const double middle = (below + above) / 2.0;
    (fits(middle) ? below : above) = middle;
  }
  return proportional(popularity, {}, below, topk);
}

/// One token: systematic sampling of fixed size with given probabilities, over items in a random
/// order. Probabilities are kept exactly; equal ones make every choice of that size equally likely.
class TokenDraw {
 public:
  TokenDraw(const Inclusion& chosen, const RouterShape& router)
      : chosen_(chosen), size_(router.experts / router.n_group) {
    groups_.resize(index(router.n_group));
    std::iota(groups_.begin(), groups_.end(), std::int64_t{0});
  }

  void operator()(Rng& random, std::vector<double>& rows) {
    items_.clear();
    systematic(
        groups_, random, [&](std::int64_t g) { return chosen_.groups[index(g)]; },
        [&](std::int64_t g) {
          for (std::int64_t e = g * size_; e < (g + 1) * size_; ++e) items_.push_back(e);
        });
    const auto given_group = [&](std::int64_t e) {
      return chosen_.experts[index(e)] / chosen_.groups[index(e / size_)];
    };
    systematic(items_, random, given_group, [&](std::int64_t e) { rows[index(e)] += 1.0; });
  }

 private:
  template <class Probability, class Take>
  static void systematic(std::vector<std::int64_t>& items, Rng& random,
                         const Probability& probability, const Take& take) {
    random.choose(std::span(items), items.size());
    double next = random.uniform();
    double passed = 0.0;
    for (const std::int64_t item : items) {
      passed += probability(item);
      if (passed <= next) continue;
      take(item);
      next += 1.0;
    }
  }

  const Inclusion& chosen_;
  std::int64_t size_;  // experts of a group
  std::vector<std::int64_t> groups_;
  std::vector<std::int64_t> items_;
};

}  // namespace

Inclusion inclusion(std::span<const double> popularity, const RouterShape& router) {
  FATHOM_EXPECT(popularity.size() == index(router.experts), "one popularity per expert");
  FATHOM_EXPECT(router.topk > 0 && router.topk <= router.experts, "topk beyond the experts");
  FATHOM_EXPECT(router.n_group > 0 && router.experts % router.n_group == 0, "unequal groups");
  const bool limited = router.n_group > 1 && router.topk_group < router.n_group;
  if (!limited) {
    return {proportional(popularity, {}, 1.0, static_cast<double>(router.topk)),
            std::vector<double>(index(router.n_group), 1.0)};
  }
  Inclusion out{.experts = within_groups(popularity, router), .groups = {}};
  const GroupBounds group = bounds(out.experts, router.n_group);
  out.groups = proportional(group.load, group.most, 1.0, static_cast<double>(router.topk_group));
  return out;
}

std::vector<double> routed_rows(const Inclusion& chosen, const RouterShape& router, double tokens,
                                Rng& random) {
  const double routed = std::max(1.0, std::round(std::min(tokens, kRoutedTokens)));
  std::vector<double> rows(chosen.experts.size());
  TokenDraw draw{chosen, router};
  for (double t = 0.0; t < routed; t += 1.0) draw(random, rows);
  const double growth = std::sqrt(tokens / routed);
  for (std::size_t e = 0; e < rows.size(); ++e) {
    const double expected = chosen.experts[e];
    rows[e] = std::max(0.0, tokens * expected + growth * (rows[e] - routed * expected));
  }
  return rows;
}

ExpertPlacement in_order(std::int64_t experts, std::int64_t num_replicas) {
  ExpertPlacement out;
  out.logical_to_physical.resize(index(experts));
  for (std::int64_t slot = 0; slot < num_replicas; ++slot) {
    out.physical_to_logical.push_back(slot % experts);
    out.logical_to_physical[index(slot % experts)].push_back(slot);
  }
  return out;
}

double peak_over_mean(std::span<const double> rows, const ExpertPlacement& placement,
                      std::int64_t num_gpus) {
  const std::size_t slots = placement.physical_to_logical.size() / index(num_gpus);
  std::vector<double> load(index(num_gpus));
  for (std::size_t slot = 0; slot < placement.physical_to_logical.size(); ++slot) {
    const std::int64_t expert = placement.physical_to_logical[slot];
    load[slot / slots] += rows[index(expert)] / static_cast<double>(placement.count(expert));
  }
  const double total = sum(load);
  if (total <= 0.0) return 1.0;
  return *std::ranges::max_element(load) * static_cast<double>(num_gpus) / total;
}

}  // namespace fathom::mapping
