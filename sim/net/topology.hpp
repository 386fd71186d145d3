#pragma once

#include <cstdint>

#include "hw/cluster.hpp"
#include "ops/collective.hpp"

namespace fathom::net {

/// How a rank group lies on the machine: `near_ranks` of it share a scale-up domain, in `nodes`
/// such domains.
struct GroupSpan {
  double ranks = 1.0;
  double near_ranks = 1.0;
  double nodes = 1.0;
  const hw::LinkTier* near = nullptr;  // innermost tier
  const hw::LinkTier* far =
      nullptr;  // the tier that contains the whole group; = near when nodes = 1
};

/// Ranks are numbered along the scale-up domain first. FATHOM_EXPECTs that the machine is large
/// enough; map() checks that.
GroupSpan span_of(const ops::RankGroup& group, const hw::Cluster& cluster);

/// Expected number of distinct bins that `copies` distinct draws of a token hit when experts are
/// spread evenly over `bins`, under node-limited routing (a token uses topk_group of n_group
/// groups; n_group = 1: none). Free routing: B (1 - (1 - 1/B)^k). DeepSeek-V3 (4 of 8 groups) on 4
/// nodes: 4 (1 - C(6,4)/C(8,4)) = 3.14.
double expected_bins(double bins, double copies, std::int64_t n_group, std::int64_t topk_group);

}  // namespace fathom::net
