#include "forms/deepep.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "core/portable_math.hpp"
#include "forms/blend.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {

double distinct_groups(double topk, double groups, double experts) {
  const double others = experts - experts / groups;  // outside one group
  double missed = 1.0;
  for (double i = 0.0; i < topk; i += 1.0) {
    missed *= std::max(0.0, others - i) / std::max(1.0, experts - i);
  }
  return groups * (1.0 - missed);
}

namespace {

// C(n, k) / C(m, k) for n <= m: no draw of k out of m falls outside n.
double none_outside(double n, double m, double k) {
  double ratio = 1.0;
  for (double i = 0.0; i < k; i += 1.0) {
    ratio *= std::max(0.0, n - i) / std::max(1.0, m - i);
  }
  return ratio;
}

// One bin of `held` whole groups is missed: over how many of them are kept, no expert from those.
double missed(double held, double topk, double experts, GroupLimit limit) {
  const double each = experts / limit.n_group;
  const double kept = each * limit.topk_group;
  double total = 0.0;
  double all = 0.0;
  // hypergeometric weights up to a common factor, by their ratios from the fewest possible on
  const double fewest = std::max(0.0, limit.topk_group - (limit.n_group - held));
  double weight = 1.0;
  for (double j = fewest; j <= std::min(held, limit.topk_group); j += 1.0) {
    total += weight * none_outside(kept - j * each, kept, topk);
    all += weight;
    weight *= (held - j) * (limit.topk_group - j) /
              ((j + 1.0) * (limit.n_group - held - limit.topk_group + j + 1.0));
  }
  return total / all;
}

}  // namespace

double distinct_bins(double topk, double bins, double experts, GroupLimit limit) {
  if (limit.n_group <= 1.0 || limit.topk_group >= limit.n_group) {
    return distinct_groups(topk, bins, experts);
  }
  const double groups_per_bin = limit.n_group / bins;
  if (groups_per_bin < 1.0) {
    // a group spreads over several bins; one of a kept group holds experts / bins of the kept ones
    const double kept = experts * limit.topk_group / limit.n_group;
    const double hit = 1.0 - none_outside(kept - experts / bins, kept, topk);
    return bins * limit.topk_group / limit.n_group * hit;
  }
  // bins that do not hold whole groups lie between those that hold one less and one more
  const double held = std::floor(groups_per_bin);
  const double part = groups_per_bin - held;
  double miss = missed(held, topk, experts, limit);
  if (part > 0.0) {
    miss += part * (missed(held + 1.0, topk, experts, limit) - miss);
  }
  return bins * (1.0 - miss);
}

namespace {

constexpr std::array<std::string_view, 6> kLowLatencyColumns{"tokens",  "hidden", "topk",
                                                             "experts", "ranks",  "nodes"};
constexpr std::array<std::string_view, 7> kNormalColumns{"tokens", "hidden", "topk", "experts",
                                                         "ranks",  "nodes",  "sms"};

struct Exchange {
  double tokens, hidden, topk, experts, ranks, nodes;
  double remote_nodes() const { return (nodes - 1.0) / nodes; }
};

Exchange exchange(std::span<const double> s) { return {s[0], s[1], s[2], s[3], s[4], s[5]}; }

// Extra latency once a second node takes part, and for every node after it.
double node_us(const Exchange& x, double second, double further) {
  return x.nodes > 1.0 ? second + further * std::max(0.0, x.nodes - 2.0) : 0.0;
}

enum : std::size_t {
  kLaunch,
  kExperts,
  kNode,
  kFurtherNode,
  kNear,
  kFar,
  kExpertStream,
  kScan,
  kBlend,
};

// An expert's FP8 rows arrive as one stream; BF16 results are fetched by many SMs.
std::vector<ParamRange> low_latency_ranges(std::string_view group) {
  const double stream = has_label(group, "fp8") ? 30.0 : 200.0;
  return {{"launch_us", 10.0, 0.5, 60.0},
          {"us_per_100_experts", 0.5, 0.001, 10.0},
          {"node_us", 5.0, 0.01, 60.0},
          {"further_node_us", 1.0, 0.001, 20.0},
          {"near_share", 0.6, 0.05, 2.0},
          {"far_share", 0.8, 0.05, 3.0},
          {"expert_gb_s", stream, 2.0, 1000.0},
          {"scan_ns_per_token", 5.0, 0.01, 500.0},
          {"blend", 3.0, 1.0, 12.0}};
}

// FP8 messages carry one FP32 scale per 128 values and a 16-byte header (DeepEP, low_latency
// dispatch); BF16 ones the values alone.
double message_bytes(std::string_view group, double hidden) {
  return has_label(group, "fp8") ? hidden + hidden / 32.0 + 16.0 : 2.0 * hidden;
}

// Every copy crosses on its own. One local expert receives as one stream, which is what limits few
// large experts.
double low_latency_seconds(std::string_view group, std::span<const double> p,
                           std::span<const double> s, const DeviceFigures& device) {
  const Exchange x = exchange(s);
  const double bytes = x.tokens * x.topk * message_bytes(group, x.hidden);
  const double near = bytes * (1.0 - x.remote_nodes()) / (device.scale_up * p[kNear]);
  const double far = bytes * x.remote_nodes() / (device.scale_out * p[kFar]);
  const double stream = bytes * x.ranks / x.experts / (p[kExpertStream] * kGiga);
  const double fixed =
      p[kLaunch] + p[kExperts] * x.experts / 100.0 + node_us(x, p[kNode], p[kFurtherNode]);
  return fixed * kMicro + blend(p[kBlend], {near, far, stream}) + p[kScan] * kNano * x.tokens;
}

enum : std::size_t {
  kStart,
  kHidden,
  kSecondNode,
  kMoreNodes,
  kSmStream,
  kOwn,
  kTokenCost,
  kFarWeight,
  kNearShare,
  kFarShare,
  kFarShareWide,
  kFill,
  kFillTokens,
  kMix,
};

std::vector<ParamRange> normal_ranges(std::string_view /*group*/) {
  return {{"launch_us", 20.0, 3.0, 100.0},    {"us_per_1024_hidden", 1.0, 0.001, 10.0},
          {"node_us", 20.0, 0.01, 300.0},     {"further_node_us", 3.0, 0.001, 100.0},
          {"sm_gb_s", 12.0, 1.0, 200.0},      {"own_copies", 2.0, 0.01, 40.0},
          {"token_ns", 50.0, 0.1, 3000.0},    {"far_copies", 1.0, 0.01, 20.0},
          {"near_share", 0.6, 0.05, 2.0},     {"far_share", 0.8, 0.05, 3.0},
          {"far_share_wide", 0.5, 0.05, 3.0}, {"fill_us", 5.0, 0.01, 80.0},
          {"fill_tokens", 2.0, 0.1, 100.0},   {"blend", 4.0, 1.0, 12.0}};
}

// One copy per destination rank, one RDMA copy per destination node; SMs read, forward and write
// them. Above four nodes the fabric share falls (rails share leaf switches).
double normal_seconds(std::string_view group, std::span<const double> p, std::span<const double> s,
                      const DeviceFigures& device) {
  const Exchange x = exchange(s);
  const double sms = s[6];
  const double value_bytes = has_label(group, "fp8") ? 1.0 + 1.0 / 32.0 : 2.0;
  const double row = x.tokens * x.hidden * value_bytes;
  const bool told = s.size() > kNormalColumns.size();
  const double copies = told ? s[7] : distinct_groups(x.topk, x.ranks, x.experts);
  const double reached = told ? s[8] : distinct_groups(x.topk, x.nodes, x.experts);
  const double far_copies = x.nodes > 1.0 ? reached * x.remote_nodes() : 0.0;
  const double work =
      row * (p[kOwn] + copies + p[kFarWeight] * far_copies) / (sms * p[kSmStream] * kGiga) +
      x.tokens * p[kTokenCost] * kNano / sms;
  const double near = row * copies * (1.0 - x.nodes / x.ranks) / (device.scale_up * p[kNearShare]);
  const double far =
      row * far_copies / (device.scale_out * p[x.nodes > kNarrowNodes ? kFarShareWide : kFarShare]);
  const double fixed = p[kStart] + p[kHidden] * x.hidden / 1024.0 +
                       node_us(x, p[kSecondNode], p[kMoreNodes]) +
                       p[kFill] * (1.0 - portable::exp(-x.tokens / (sms * p[kFillTokens])));
  return fixed * kMicro + blend(p[kMix], {work, near, far});
}

}  // namespace

std::vector<Form> deepep_forms() {
  std::vector<Form> out;
  for (const std::string_view family :
       {"deepep_ll_dispatch", "deepep_ll_combine", "deepep_ll_multinode_dispatch",
        "deepep_ll_multinode_combine"}) {
    out.push_back({family, kLowLatencyColumns, low_latency_ranges, low_latency_seconds});
  }
  for (const std::string_view family :
       {"deepep_normal_dispatch", "deepep_normal_combine", "deepep_normal_multinode_dispatch",
        "deepep_normal_multinode_combine"}) {
    out.push_back({family, kNormalColumns, normal_ranges, normal_seconds});
  }
  return out;
}

}  // namespace fathom::forms
