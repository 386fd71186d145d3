#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/plan_search.hpp"

namespace fathom::study {

/// One latency target of a cluster against the errors of kernel times.
struct LatencyOdds {
  std::string what;  // "TTFT", "TPOT p95"
  Seconds estimate;  // without error
  Seconds target;
  Seconds p10;  // over the draws; infinite where the cluster cannot keep up
  Seconds p90;
  double log_sigma = 0.0;    // of the draws that keep up
  double probability = 0.0;  // of latency <= target
};

/// Draws of the families' log-normal errors (kernel_error.hpp), the same one for both phases: the
/// errors of two families are independent, those of two latencies are not. Every draw times the
/// steps again, at the cluster's own batches and numbers of instances; traffic, lengths, load and
/// software are as given.
struct PlanOdds {
  std::vector<LatencyOdds> targets;
  double all = 1.0;          // the share of draws in which every target holds
  double independent = 1.0;  // what it would be if targets were independent: the product
  int draws = 0;
};

/// Of a request without latency targets: no targets, and certain. At Targets::confidence the plan
/// was made for slower kernels; odds are those of the kernels as calibrated.
PlanOdds odds_of(const PlanRequest& request, const ClusterPlan& plan, int draws = 256);

/// The request in the formats of a point.
PlanRequest in_precision_of(const PlanRequest& request, const PhasePoint& point);

/// The same plan, batch and drafts or chunks on another machine or for another traffic; nothing
/// when it no longer fits in memory. `request` has the point's precision.
std::optional<PhasePoint> decode_again(const PlanRequest& request, const hw::Cluster& cluster,
                                       const PhasePoint& point);
std::optional<PhasePoint> prefill_again(const PlanRequest& request, const hw::Cluster& cluster,
                                        const PhasePoint& point);

nlohmann::json to_json(const PlanOdds& odds);

}  // namespace fathom::study
