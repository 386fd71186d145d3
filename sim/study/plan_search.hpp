#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/plan_cluster.hpp"

namespace fathom::study {

/// One kind of serving on one machine, or with a machine for each phase.
struct ServingResult {
  Serving serving = Serving::aggregated;
  // Smallest first, one per plan (disaggregated: per decode plan): at most kKept, and the cheapest
  // and the fastest of all if they are not among those.
  std::vector<ClusterPlan> candidates;
  std::optional<std::size_t> cheapest;  // indices into candidates; absent: no price is known
  std::optional<std::size_t> fastest;   // most tokens/s for a user
  // Plans with at least one size that meets the targets; at least so many, as a plan that cannot
  // become an answer is not sized.
  std::size_t meeting_targets = 0;
  // When there is no candidate: why, what to relax, and the best that each latency can be alone.
  std::string unreachable;
  std::optional<Seconds> best_ttft;  // absent: nothing runs at all
  std::optional<Seconds> best_tpot;
  static constexpr std::size_t kKept = 10;
};

/// How much was tried. A point is one plan, precision, overlap, kernels, drafts or chunk, and batch
/// of one phase; clusters combine them and are not counted.
struct SearchCounts {
  std::size_t plans = 0;          // in every precision
  std::size_t decode_points = 0;  // fit in memory
  std::size_t prefill_points = 0;
  std::size_t evaluated = 0;  // points timed by the full model
  std::size_t pruned = 0;     // ruled out by a bound: in no answer whatever their time
  SearchCounts& operator+=(const SearchCounts& other);
  bool operator==(const SearchCounts&) const = default;
};

struct HardwareResult {
  std::size_t hardware = 0;       // index into the request's
  std::vector<PhasePoint> front;  // decode: tokens/s/user against tokens/s/device, fast users first
  std::vector<Refusal> refused;   // plans that cannot run, in search order
  SearchCounts counts;
  std::vector<ServingResult> serving;  // those asked for
  std::vector<std::string> notes;
};

/// Prefill on one machine, decode on another.
struct PairResult {
  std::size_t prefill_hardware = 0;
  std::size_t decode_hardware = 0;
  ServingResult serving;  // at most kKept and the winners
  static constexpr std::size_t kKept = 3;
};

struct PlanResult {
  PlanRequest request;
  std::vector<HardwareResult> hardware;
  std::vector<PairResult> pairs;  // empty unless asked for
};

struct SearchOptions {
  int threads = 0;                       // 0: all cores; the result does not depend on it
  bool exhaustive = false;               // evaluate every point, size every pair: the same answers
  std::function<void(double)> progress;  // share done, from any thread
};

/// Tries every plan on every machine of the request.
PlanResult search_plans(const PlanRequest& request, const SearchOptions& options = {});

/// The best cluster over all machines, of one kind of serving or of any; null when nothing meets
/// the targets (cheapest: or no price is known).
const ClusterPlan* smallest_cluster(const PlanResult& result, std::optional<Serving> serving = {});
const ClusterPlan* cheapest_cluster(const PlanResult& result, std::optional<Serving> serving = {});
const ClusterPlan* fastest_cluster(const PlanResult& result, std::optional<Serving> serving = {});

SearchCounts total_counts(const PlanResult& result);

/// "h800", or "h800 → b200" when each phase has its own.
std::string hardware_name(const PlanRequest& request, const ClusterPlan& plan);

/// Request, counts, winners, all candidates, fronts and refusals.
nlohmann::json to_json(const PlanResult& result);

}  // namespace fathom::study
