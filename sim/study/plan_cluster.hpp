#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "study/plan_size.hpp"

namespace fathom::study {

/// The whole prompt's cache from one device to another over the outermost link, after the prompt is
/// done. One link each way: ranks that share a prompt could send parts side by side.
Seconds kv_transfer_time(const PlanRequest& request, const hw::Cluster& cluster);

/// Of the average rate: a cluster sized for a peak is paid for all the time.
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
  enum class Kind : std::uint8_t { memory, tpot, ttft, load, queueing };
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
  std::int64_t spare_nodes = 0;    // among them; their devices count too
  std::optional<double> power_kw;  // devices at their rated power; absent: unknown
  double tokens_per_s_per_user = 0.0;
  double output_tokens_per_s_per_device = 0.0;
  double total_tokens_per_s_per_device = 0.0;  // input (cache hits included) and output
  double target_use = 0.0;   // the largest latency over its target; 0 without targets
  std::optional<Cost> cost;  // absent: price unknown
  Limit prefill_limit;
  Limit decode_limit;
  std::string granularity;  // what one instance fewer would mean
};

/// Its points and instances; refers to the plan.
Fleet fleet_of(const ClusterPlan& plan);

/// Puts the figures together; limits stay empty until explain_limits().
ClusterPlan make_cluster_plan(const PlanRequest& request, std::size_t hardware, Serving serving,
                              const PhasePoint& prefill, const PhasePoint& decode,
                              const Sizing& size);

/// Whether a cluster keeps search.max_devices and the targets max_gpus, budget_usd_per_hour and
/// power_kw. One whose price or power is unknown keeps no limit on it.
bool affordable(const PlanRequest& request, const ClusterPlan& plan);
/// The first of these limits that it breaks, in words; empty when it keeps them all.
std::string exceeded(const PlanRequest& request, const ClusterPlan& plan);
/// The same limits in words: "max_devices = 64, a budget of 20 USD/h".
std::string ceilings_text(const PlanRequest& request, const hw::Cluster& cluster);

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
