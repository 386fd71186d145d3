#include "net/topology.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/portable_math.hpp"

namespace fathom::net {
namespace {

// C(n, k) / C(m, k) for n <= m, without factorials.
double choose_ratio(double n, double m, std::int64_t k) {
  double ratio = 1.0;
  for (std::int64_t i = 0; i < k; ++i) {
    const auto taken = static_cast<double>(i);
    ratio *= std::max(n - taken, 0.0) / (m - taken);
  }
  return ratio;
}

double free_bins(double bins, double copies) {
  return bins * (1.0 - portable::pow(1.0 - 1.0 / bins, copies));
}

}  // namespace

GroupSpan span_of(const ops::RankGroup& group, const hw::Cluster& cluster) {
  GroupSpan span;
  span.ranks = static_cast<double>(group.size);
  span.near = &cluster.tiers.front();
  const std::int64_t near =
      std::clamp<std::int64_t>(span.near->group / group.stride, 1, group.size);
  span.near_ranks = static_cast<double>(near);
  span.nodes = std::ceil(span.ranks / span.near_ranks);
  const std::int64_t reach = group.size * group.stride;
  const auto fits = [&](const hw::LinkTier& tier) { return tier.group >= reach; };
  const auto tier =
      span.nodes > 1.0 ? std::ranges::find_if(cluster.tiers, fits) : cluster.tiers.begin();
  FATHOM_EXPECT(tier != cluster.tiers.end(),
                "a communicator larger than the machine reached the network model");
  span.far = &*tier;
  return span;
}

double expected_bins(double bins, double copies, std::int64_t n_group, std::int64_t topk_group) {
  if (bins <= 1.0) return 1.0;
  if (n_group <= 1 || topk_group >= n_group) return free_bins(bins, copies);
  const auto groups = static_cast<double>(n_group);
  const auto kept = static_cast<double>(topk_group);
  if (bins <= groups) {
    // several groups share a bin; it is missed when none of them is chosen
    const double per_bin = std::floor(groups / bins);
    return std::min(bins * (1.0 - choose_ratio(groups - per_bin, groups, topk_group)),
                    free_bins(bins, copies * bins));
  }
  // a group spreads over several bins: copies fall freely on the bins of the kept groups
  return free_bins(bins * kept / groups, copies);
}

}  // namespace fathom::net
