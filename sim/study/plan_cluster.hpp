#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "study/plan_points.hpp"

namespace fathom::study {

/// Mean values, steady state; percentiles need the arrivals that nobody models here.
///
/// Disaggregated: prefill instances hand finished prompts to decode instances.
///   TTFT = step under way / 2 + prefill latency + KV transfer        TPOT = decode TPOT
///   instances of each kind = ceil(rate / (capacity * utilisation))
/// Aggregated: every instance does both, prompts first. A request costs w = 1 / prefill capacity
/// and v = 1 / decode capacity seconds of an instance, so an instance serves at most
/// utilisation / (w + v), and at rate r it spends the share f = r w of its time on prompts.
///   TPOT = decode TPOT / (1 - f)      TTFT = decode step under way + prefill latency / (1 - f)
/// Both: decode runs at its full batch, so TPOT is that of the busiest moment. With a concurrency N
/// instead of a rate, Little's law closes the loop: rate = N / (TTFT + OSL * TPOT).
enum class Serving : std::uint8_t { aggregated, disaggregated };
std::string_view name(Serving serving);

/// The demand in the form that sizing needs.
struct Demand {
  double requests_per_s = 0.0;  // 0: from concurrency
  double concurrency = 0.0;
  double output_tokens = 0.0;
  Seconds ttft;  // infinite when there is no target
  Seconds tpot;
  double utilisation = 1.0;
};
Demand demand_of(const PlanRequest& request);

/// How many instances, and what users see.
struct Sizing {
  std::int64_t prefill_instances = 0;     // aggregated: 0
  std::int64_t decode_instances = 0;      // aggregated: instances of both
  double requests_per_s = 0.0;            // served
  double requests_per_s_supported = 0.0;  // within targets and utilisation
  double prefill_utilisation = 0.0;       // busy share; aggregated: the share f
  double decode_utilisation = 0.0;        // busy share; aggregated: of both phases
  Seconds kv_transfer;
  Seconds ttft;
  Seconds tpot;
};

/// Nothing when no number of instances meets the targets.
std::optional<Sizing> size_aggregated(const Demand& demand, const PhasePoint& prefill,
                                      const PhasePoint& decode);
std::optional<Sizing> size_disaggregated(const Demand& demand, const PhasePoint& prefill,
                                         const PhasePoint& decode, Seconds kv_transfer);

/// From a prompt's arrival at a disaggregated cluster to its first token, without KV transfer.
Seconds prefill_wait(const PhasePoint& prefill);

/// The whole prompt's cache from one device to another over the outermost link, after the prompt is
/// done. One link each way: ranks that share a prompt could send parts side by side.
Seconds kv_transfer_time(const PlanRequest& request, const hw::Cluster& cluster);

struct Cost {
  double usd_per_hour = 0.0;
  // Money follows device time: disaggregated by devices of each kind, aggregated by w : v.
  double input_share = 0.0;
  double usd_per_million_input = 0.0;  // prompt tokens received, cache hits included
  double usd_per_million_output = 0.0;
  double usd_per_million_blended = 0.0;  // whole cost over input plus output tokens
};

/// What keeps the batch of a phase from growing without end.
struct Limit {
  enum class Kind : std::uint8_t { memory, tpot, ttft, load };
  Kind kind = Kind::load;
  double batch = 0.0;  // the largest that memory and targets allow, of one instance
  std::string text;
};
std::string_view name(Limit::Kind kind);

/// A complete answer: this many instances of these plans.
struct ClusterPlan {
  Serving serving = Serving::aggregated;
  std::size_t hardware = 0, prefill_hardware = 0;  // of decode and prefill, in the request
  PhasePoint prefill;
  PhasePoint decode;
  Sizing size;
  mapping::MemoryFootprint prefill_memory;  // aggregated: the same as decode_memory
  mapping::MemoryFootprint decode_memory;
  std::int64_t devices = 0;
  std::int64_t nodes = 0;
  double tokens_per_s_per_user = 0.0;
  double output_tokens_per_s_per_device = 0.0;
  double total_tokens_per_s_per_device = 0.0;  // input (cache hits included) and output
  double target_use = 0.0;   // the larger of TTFT and TPOT over its target; 0 without targets
  std::optional<Cost> cost;  // absent: price unknown
  Limit prefill_limit;
  Limit decode_limit;
  std::string granularity;  // what one instance fewer would mean
};

/// Puts the figures together; limits stay empty until explain_limits().
ClusterPlan make_cluster_plan(const PlanRequest& request, std::size_t hardware, Serving serving,
                              const PhasePoint& prefill, const PhasePoint& decode,
                              const Sizing& size);

/// Fills the limits and granularity by trying larger batches and one instance fewer.
void explain_limits(const PlanRequest& request, ClusterPlan& plan);

/// Smaller first: devices; of equal size the one further from its latency targets, then the one
/// that supports more requests, then lower TPOT and TTFT.
bool smaller(const ClusterPlan& a, const ClusterPlan& b);
/// Cheaper per blended token first (unknown price last); then as smaller().
bool cheaper(const ClusterPlan& a, const ClusterPlan& b);

nlohmann::json to_json(const ClusterPlan& plan);
nlohmann::json to_json(const PhasePoint& point);

}  // namespace fathom::study
