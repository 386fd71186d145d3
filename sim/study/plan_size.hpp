#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "study/first_token.hpp"
#include "study/plan_points.hpp"

namespace fathom::study {

/// Disaggregated: prefill instances hand finished prompts to decode instances.
///   TTFT = step under way / 2 + prefill latency + KV transfer        TPOT = decode TPOT
///   instances of each kind = ceil(rate / (capacity * utilisation))
/// Aggregated: every instance does both, prompts first. A request costs w = 1 / prefill capacity
/// and v = 1 / decode capacity seconds of an instance, so an instance serves at most
/// utilisation / (w + v), and at rate r it spends the share f = r w of its time on prompts.
///   TPOT = decode TPOT / (1 - f)      TTFT = decode step under way + prefill latency / (1 - f)
/// Both: decode runs at its full batch, so TPOT is that of the busiest moment. With a concurrency N
/// instead of a rate, Little's law closes the loop: rate = N / (TTFT + OSL * TPOT).
///
/// With queueing (Demand::queueing), instances are added until means and percentiles hold.
/// Disaggregated: prompts wait as in G/G/c for c prefill instances, each a server of one prompt at
/// a time with service 1 / capacity: what a server of batches tends to under load (Hopp and
/// Spearman, Factory Physics, 3rd ed., section 9.4: parallel batches); tested against a simulation
/// of batches. A step under way and a prompt's own step each take 2/3 of their mean sum.
/// Aggregated: each instance has its own line. TTFT's prefill / (1 - f) is M/M/1's, whose tail is
/// exponential; its wait grows with the scvs where these exceed 1. A user's TPOT varies with the
/// prompts that interrupt it: variance of a delay cycle (Conway, Maxwell and Miller, Theory of
/// Scheduling, 1967, section 8-3), percentile as of a normal distribution.
enum class Serving : std::uint8_t { aggregated, disaggregated };
std::string_view name(Serving serving);

/// The demand in the form that sizing needs.
struct Demand {
  double requests_per_s = 0.0;  // at the peak; 0: from concurrency
  double concurrency = 0.0;
  double output_tokens = 0.0;
  Seconds ttft;  // infinite when there is no target
  Seconds tpot;
  double utilisation = 1.0;
  bool queueing = false;  // needs a rate
  double arrival_scv = 1.0;
  double prompt_scv = 0.0;
  double output_scv = 0.0;
  std::vector<PromptShare> prompts;            // empty: all alike
  std::vector<LatencyPercentile> percentiles;  // need queueing
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
  Seconds ttft;                                // mean
  Seconds tpot;                                // mean
  Wait wait;                                   // part of ttft; zero without queueing
  std::vector<LatencyPercentile> percentiles;  // the demand's, in their order, as delivered
};

/// A cluster as it stands.
struct Fleet {
  Serving serving = Serving::aggregated;
  const PhasePoint& prefill;
  const PhasePoint& decode;
  Seconds kv_transfer;
  std::int64_t prefill_instances = 0;
  std::int64_t decode_instances = 0;
};

/// Nothing when no number of instances meets the targets. Monotone: with prefill and decode points
/// that are nowhere worse (devices, latency, prefill_wait, step cycle, capacity) it never takes
/// more devices, and never fails where the worse ones do not.
std::optional<Sizing> size_aggregated(const Demand& demand, const PhasePoint& prefill,
                                      const PhasePoint& decode);
std::optional<Sizing> size_disaggregated(const Demand& demand, const PhasePoint& prefill,
                                         const PhasePoint& decode, Seconds kv_transfer);

/// With queueing, the above leave out what costs time: percentiles, and the supported rate beyond
/// the served one. This adds them for the cluster that was sized.
void complete(const Demand& demand, const Fleet& fleet, Sizing& size);

/// From a prompt's arrival at a disaggregated cluster to its first token, without KV transfer and
/// without queueing.
Seconds prefill_wait(const PhasePoint& prefill);

/// What a fleet delivers at the demand's rate, whether or not that meets the targets; latencies are
/// infinite when it cannot keep up. `requests_per_s_supported` is left 0.
Sizing deliver(const Demand& demand, const Fleet& fleet);

/// The wait for a place in a decode batch: M/G/c with a server for each. Not part of TTFT: it
/// delays the second token.
Wait slot_wait(const Demand& demand, const Fleet& fleet);

/// Why an answer has as many instances as it has, or misses its targets.
enum class Binding : std::uint8_t { one_instance, utilisation, ttft, tpot, ttft_tail, tpot_tail };
std::string_view name(Binding binding);
/// The first target that a delivery misses; utilisation counts.
std::optional<Binding> missed(const Demand& demand, const Sizing& delivered);

/// The largest multiple of the demand's rate or concurrency that misses nothing; 0 if even an idle
/// cluster misses a target.
double headroom(const Demand& demand, const Fleet& fleet);

}  // namespace fathom::study
