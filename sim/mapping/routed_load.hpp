#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/rng.hpp"
#include "mapping/expert_placement.hpp"

namespace fathom::mapping {

/// What a router may choose: `topk` different experts, out of at most `topk_group` of `n_group`
/// equal runs of experts (n_group = 1: no limit).
struct RouterShape {
  std::int64_t experts = 0;
  std::int64_t topk = 1;
  std::int64_t n_group = 1;
  std::int64_t topk_group = 1;
  bool operator==(const RouterShape&) const = default;
};

/// Probabilities that one token chooses a group, and each expert. The experts' sum to topk, none is
/// above its group's, the groups' sum to topk_group.
struct Inclusion {
  std::vector<double> experts;
  std::vector<double> groups;  // one entry of 1 without groups
};

/// Shares of the load as probabilities: in proportion to `popularity` (non-negative, any scale) as
/// far as the router allows; what an expert cannot take goes to the others in proportion.
Inclusion inclusion(std::span<const double> popularity, const RouterShape& router);

/// Rows per expert of one step of `tokens`: every token draws its groups, then its experts. Exact
/// up to kRoutedTokens; a longer step keeps the deviations of that many, scaled with the root.
std::vector<double> routed_rows(const Inclusion& chosen, const RouterShape& router, double tokens,
                                Rng& random);
inline constexpr double kRoutedTokens = 2048.0;

/// Experts in order over the slots, redundant ones repeating the first: no balancer.
ExpertPlacement in_order(std::int64_t experts, std::int64_t num_replicas);

/// Rows of the fullest GPU over the mean, replicas sharing their expert's rows evenly. 1: balanced.
double peak_over_mean(std::span<const double> rows, const ExpertPlacement& placement,
                      std::int64_t num_gpus);

}  // namespace fathom::mapping
