#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "mapping/memory.hpp"
#include "mapping/plan.hpp"
#include "study/basis.hpp"
#include "timing/roofline.hpp"

namespace fathom::study {

/// One model on several systems.
struct HardwareTradeRequest {
  std::string model;                                        // NAME|FILE
  std::vector<std::string> hardware;                        // NAME|FILE each
  std::vector<std::int64_t> batches{1, 16, 64, 128, 256};   // sequences per device
  std::vector<std::int64_t> contexts{4096, 32768, 131072};  // tokens, ascending
  std::string kv;                                           // empty: as the checkpoint
  std::int64_t devices = 0;          // of every instance; 0: the fewest that hold the model
  std::int64_t chunk_tokens = 8192;  // longest piece of a prompt per step and replica
  bool operator==(const HardwareTradeRequest&) const = default;
};

/// A decode batch, or prompts of that length, on one system.
struct HardwarePoint {
  std::int64_t batch = 0;  // sequences per device; prefill: one prompt per replica
  std::int64_t context_tokens = 0;
  std::string infeasible;  // why the figures below are missing; empty: they are there
  Seconds latency;         // time per output token, or to the first one
  TokensPerSecond per_device;
  std::optional<double> usd_per_million_tokens;
  timing::Bound bound = timing::Bound::memory;  // of the largest part of the operators' time
  double bound_share = 0.0;
};

struct HardwareRow {
  hw::Cluster cluster;
  std::optional<mapping::Plan> plan;
  std::string infeasible;              // without a plan
  Bytes weights;                       // of the fullest rank
  std::vector<double> max_sequences;   // per device and context
  std::vector<HardwarePoint> decode;   // by context, then batch
  std::vector<HardwarePoint> prefill;  // by context
};

struct HardwareTrade {
  HardwareTradeRequest request;
  std::string model;  // its name
  std::string kv;     // layout of the cache
  std::vector<HardwareRow> rows;
  Basis basis;
};

HardwareTrade trade_hardware(const HardwareTradeRequest& request, std::string_view where);

/// "empty; expected …" and the like for ascending positive token or sequence counts.
void check_ascending(const std::vector<std::int64_t>& values, std::string_view key,
                     std::string_view where);

}  // namespace fathom::study
