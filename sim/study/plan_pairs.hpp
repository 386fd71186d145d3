#pragma once

#include <vector>

#include "study/plan_goals.hpp"
#include "study/plan_search.hpp"

namespace fathom::study {

/// The machine of each phase: indices into the request's hardware.
struct Machines {
  std::size_t prefill = 0;
  std::size_t decode = 0;
};

/// A prompt's cache from one machine to the other, over the slower of their outermost links.
Seconds kv_transfer_time(const PlanRequest& request, const Machines& machines);

/// make_cluster_plan() for a machine for each phase: nodes and cost by each side's own.
ClusterPlan make_pair_plan(const PlanRequest& request, const Machines& machines,
                           const PhasePoint& prefill, const PhasePoint& decode, const Sizing& size);

/// One disaggregated cluster per decode plan, the smallest, and the best of all.
struct FoundClusters {
  std::vector<ClusterPlan> smallest;
  Winners winners;
};

/// Instances that nothing on their machine beats, by precision.
struct PairFronts {
  const std::vector<std::vector<PhasePoint>>& prefill;
  const std::vector<std::vector<PhasePoint>>& decode;
};

/// All pairs of a prefill and a decode instance of one precision. At a given rate, dropping beaten
/// instances loses nothing: whatever target one of them meets, the one that beats it meets with no
/// more devices. At a given concurrency slower answers can take fewer devices, but a cluster of
/// beaten instances is not looked for. `requests` are the same question in each precision. An
/// exhaustive run sizes every pair.
FoundClusters pair_phases(const std::vector<PlanRequest>& requests, const Machines& machines,
                          const PairFronts& fronts, bool exhaustive);

/// Lists the `kept` smallest, and the cheapest and the fastest if they are not among them.
void keep(FoundClusters found, std::size_t kept, ServingResult& result);

}  // namespace fathom::study
