#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/plan_cluster.hpp"

namespace fathom::study {

/// One kind of serving on one machine.
struct ServingResult {
  Serving serving = Serving::aggregated;
  std::vector<ClusterPlan> candidates;  // smallest first, one per decode plan; at most kKept
  std::size_t meeting_targets = 0;      // plans with at least one size that meets the targets
  // When there is no candidate: why, what to relax, and the best that each latency can be alone.
  std::string unreachable;
  std::optional<Seconds> best_ttft;  // absent: nothing runs at all
  std::optional<Seconds> best_tpot;
  static constexpr std::size_t kKept = 10;
};

struct HardwareResult {
  std::size_t hardware = 0;       // index into the request's
  std::vector<PhasePoint> front;  // decode: tokens/s/user against tokens/s/device, fast users first
  std::vector<Refusal> refused;   // plans that cannot run, in search order
  std::size_t plans = 0;          // tried
  std::size_t decode_points = 0;  // feasible
  std::size_t prefill_points = 0;
  std::vector<ServingResult> serving;  // those asked for
  std::vector<std::string> notes;
};

struct PlanResult {
  PlanRequest request;
  std::vector<HardwareResult> hardware;
};

struct SearchOptions {
  int threads = 0;                       // 0: all cores; the result does not depend on it
  std::function<void(double)> progress;  // share done, from any thread
};

/// Tries every plan on every machine of the request.
PlanResult search_plans(const PlanRequest& request, const SearchOptions& options = {});

/// The best cluster over all machines, of one kind of serving or of any; null when nothing meets
/// the targets (cheapest: or no price is known).
const ClusterPlan* smallest_cluster(const PlanResult& result, std::optional<Serving> serving = {});
const ClusterPlan* cheapest_cluster(const PlanResult& result, std::optional<Serving> serving = {});

/// Request, counts, winners, all candidates, fronts and refusals.
nlohmann::json to_json(const PlanResult& result);

}  // namespace fathom::study
