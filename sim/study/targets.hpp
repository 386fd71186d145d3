#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/units.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// A latency that 99 of 100 requests do not exceed: percent = 99. A target, or what is delivered.
struct LatencyPercentile {
  enum class Of : std::uint8_t { ttft, tpot };
  Of of = Of::ttft;
  int percent = 99;
  Seconds time;
  double share() const { return static_cast<double>(percent) / 100.0; }
  bool operator==(const LatencyPercentile&) const = default;
};
/// "TTFT p99" for people, "ttft_p99" as a key.
std::string name(const LatencyPercentile& percentile);
std::string key(const LatencyPercentile& percentile);

/// What a cluster has to keep; absent: anything goes. Plain latencies are means.
struct Targets {
  std::optional<Seconds> ttft;  // time to first token
  std::optional<Seconds> tpot;  // time per output token of a user
  std::vector<LatencyPercentile> percentiles;
  std::optional<double> tokens_per_s_per_user;  // mean; 1 / TPOT
  std::optional<double> budget_usd_per_hour;
  std::optional<double> power_kw;  // of the devices at their rated power, nothing else
  std::optional<std::int64_t> max_gpus;
  std::optional<double> confidence;  // that the latencies hold, for errors of kernel times
  bool operator==(const Targets&) const = default;
};

/// The tighter of `tpot` and 1 / `tokens_per_s_per_user`.
std::optional<Seconds> tpot_limit(const Targets& targets);

/// Keys: ttft, tpot and ttft_pNN, tpot_pNN with a unit (_s, _ms …) for NN = 50, 75, 90, 95, 99.
Targets read_targets(JsonReader in);
nlohmann::json to_json(const Targets& targets);

}  // namespace fathom::study
