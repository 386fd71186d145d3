#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "hw/cluster.hpp"
#include "model/arch_spec.hpp"

namespace fathom::mapping {

enum class AllToAll : std::uint8_t {
  automatic,    // throughput kernels in prefill, low latency in decode
  throughput,   // one copy per node, forwarded; holds SMs
  low_latency,  // every copy straight to its rank
  hybrid,       // low latency with one copy per node, forwarded over the scale-up link
  gather        // none: all-gather every token, reduce-scatter the partial sums
};

/// How one instance of the model is cut. One pipeline stage has tp x cp x dp ranks, numbered in
/// that order (TP innermost).
///   attention  heads over tp; sequences over dp replicas; one sequence over cp ranks
///   experts    whole experts over ep ranks; when ep < tp x cp x dp each expert is cut over the
///   remaining factor
struct Plan {
  std::int64_t tp = 1;
  std::int64_t pp = 1;
  std::int64_t ep = 1;
  std::int64_t dp = 1;
  std::int64_t cp = 1;
  std::int64_t redundant_experts = 0;  // extra expert slots of a load balancer (EPLB)
  double expert_load = 1.0;            // rows of the slowest rank / mean; 1: balanced
  bool two_batch_overlap = false;  // two micro-batches, one computes while the other communicates
  bool fixed_order = true;         // with it: DeepSeek's half-layer offset in decode; false: greedy
  AllToAll all_to_all = AllToAll::automatic;
  bool all_remote = false;  // planning bound: every expert copy crosses the fabric
  bool operator==(const Plan&) const = default;
};

inline std::int64_t ranks_per_stage(const Plan& p) { return p.tp * p.cp * p.dp; }
inline std::int64_t devices(const Plan& p) { return ranks_per_stage(p) * p.pp; }
/// Ranks that share one expert.
inline std::int64_t expert_tp(const Plan& p) { return ranks_per_stage(p) / p.ep; }

/// How tokens reach experts.
enum class ExpertTraffic : std::uint8_t {
  none,  // every rank of the group already has every token (no data parallelism): partial sums are
         // all-reduced
  exchange,  // dispatch and combine all-to-alls over ep ranks
  gather     // experts are cut over ranks that hold different tokens: all-gather before,
             // reduce-scatter after
};
ExpertTraffic expert_traffic(const Plan& plan);

/// Why this plan cannot run this model on this machine at all (indivisible heads, too many ranks
/// …), or nothing. Memory is a separate question (memory.hpp).
std::optional<std::string> infeasible(const model::ArchSpec& arch, const Plan& plan,
                                      const hw::Cluster& cluster);

/// "TP8", "EP32 DP32 TBO" …
std::string describe(const Plan& plan);
nlohmann::json to_json(const Plan& plan);

}  // namespace fathom::mapping
