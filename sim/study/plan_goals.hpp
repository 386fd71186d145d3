#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "study/plan_cluster.hpp"

namespace fathom::study {

/// Instances found so far, as size, wait (lower is better) and capacity (higher is better).
class Staircases {
 public:
  void add(std::int64_t devices, Seconds wait, double requests_per_s);
  /// One is no larger, strictly quicker and strictly more capable: such a point is on no front.
  bool beat(std::int64_t devices, Seconds wait, double requests_per_s) const;

 private:
  struct Step {
    double wait = 0.0;
    double capacity = 0.0;
  };
  std::map<std::int64_t, std::vector<Step>> by_size_;  // both rise along a staircase
};

/// What a cluster has to undercut in at least one figure to be an answer, or what it has at best.
struct Reach {
  double devices = std::numeric_limits<double>::infinity();
  double tpot = std::numeric_limits<double>::infinity();  // s
  double usd = std::numeric_limits<double>::infinity();   // per million blended tokens
};

/// Worse than the goals in every figure; equal is not worse, ties are settled by other figures.
bool hopeless(const Reach& best_case, const Reach& goals);

/// Highest speed for a user first, then as smaller().
bool faster(const ClusterPlan& a, const ClusterPlan& b);

/// The smallest, the cheapest and the fastest of all that are offered; of equals the first.
struct Winners {
  std::optional<ClusterPlan> smallest;
  std::optional<ClusterPlan> cheapest;  // nothing while no price is known
  std::optional<ClusterPlan> fastest;

  bool wants(const ClusterPlan& plan) const;
  void offer(const ClusterPlan& plan);
  void offer(const Winners& others);
  /// What a further one has to undercut.
  Reach goals() const;
};

/// The demand whose size bounds the question's from below. A rate is itself; a concurrency comes to
/// a rate only with the latencies (quicker instances serve more, and may need more of them), so it
/// counts as the rate at which the slowest answers allowed hold so many requests, if there are
/// targets, and as any rate at all if not.
Demand least_demand(const PlanRequest& request);

/// The same without queues and percentiles, which only ever add instances: a first look that costs
/// a hundredth.
Demand without_queues(Demand demand);

/// Figures from which no cluster of this size and speed can come out better: `devices` at least,
/// `prefill` and `decode` no faster. `usd_per_device_hour`: nothing when unknown.
Reach best_case(const PlanRequest& request, double devices, const PhasePoint& prefill,
                const PhasePoint& decode, std::optional<double> usd_per_device_hour);

}  // namespace fathom::study
