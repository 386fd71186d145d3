#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "mapping/plan.hpp"
#include "model/arch_spec.hpp"
#include "model/kv_cache.hpp"
#include "timing/roofline.hpp"

namespace fathom::study {

/// Which models to lay side by side, and which attention kinds to give to one of them.
struct TradeRequest {
  std::vector<std::string> models;      // NAME|FILE, as published
  std::string base;                     // NAME|FILE whose attention is exchanged; empty: none
  std::vector<std::string> attentions;  // "mha", "gqa-8", "mqa", "mla", "mla+dsa", "csa+hca", "tpa"
  std::vector<std::int64_t> contexts;   // tokens in the cache, ascending
  std::string hardware = "h800";        // NAME|FILE
  std::optional<mapping::Plan> plan;    // absent: the smallest standard plan that fits
  std::string kv = "bf16";              // cache layout, see model::parse_kv_layout
  double sequences_per_device = 0.0;    // 0: as many as fit
  bool operator==(const TradeRequest&) const = default;
};

/// Seven published models, and DeepSeek-V3 with seven kinds of attention, 4 Ki to 1 Mi tokens,
/// H800.
TradeRequest default_trade_request();

struct TradeFormat {
  std::string name;        // of the layout: "bf16", "fp8_mla+index-fp4"
  Bytes growth_per_token;  // beyond every window
  Bytes constant;          // per sequence: full windows, compressor and linear-attention state
};

/// One model at one context length.
struct TradePoint {
  std::int64_t context_tokens = 0;
  bool beyond_limit = false;  // more than max_position_embeddings: computed all the same
  Bytes kv_per_sequence;      // of the whole model
  Flops flops_per_token;      // decoding at batch 1, BF16 x 2, FP8 x 1, FP4 x 0.5
  double max_sequences_per_device = 0.0;
  double sequences_per_device = 0.0;  // of the figures below; 0: nothing fits
  Seconds ideal_step;  // max(sum of FLOP / peak, sum of bytes / bandwidth), no network
  bool ideal_memory_bound = false;
  TokensPerSecond ideal_per_device;
  Seconds tpot;  // estimated
  TokensPerSecond per_device;
  Seconds ttft;  // one prompt per replica, in pieces of kTradeChunk; 0: does not fit
  TokensPerSecond prefill_per_device;
};
inline constexpr double kTradeChunk = 8192.0;  // tokens of a prompt per step and replica

/// One line of the comparison.
struct TradeRow {
  std::string label;        // "deepseek-v3", "deepseek-v3 with gqa-8"
  std::string attention;    // kinds of its layers: "mla", "csa+hca"
  std::string exchanged;    // the kind asked for in place of its own; empty: as published
  bool cache_only = false;  // the model file describes nothing but the cache
  std::int64_t max_position_embeddings = 0;
  std::int64_t parameters = 0;
  std::int64_t activated_parameters = 0;    // per token, embedding and head included
  std::int64_t attention_parameters = 0;    // with indexers and compressors
  std::vector<TradeFormat> formats;         // the first is the requested one
  FlopsPerByte core_intensity;              // attention core, FLOP per cached byte read, all heads
  FlopsPerByte rank_intensity;              // the same on one rank of the plan
  std::optional<timing::Bound> core_bound;  // as estimated at the shortest context that decodes
  std::optional<mapping::Plan> plan;        // absent: see `infeasible`
  std::string infeasible;
  Bytes weights_per_device;        // of the fullest rank
  std::vector<TradePoint> points;  // per context; without a plan only the cache is known
};

struct TradeInput {
  std::string name;
  std::string hash;
};

struct AttentionTrade {
  TradeRequest request;
  hw::Cluster cluster;
  FlopsPerByte ridge;          // bf16: attention cores multiply in bf16 whatever the cache format
  std::vector<TradeRow> rows;  // exchanged attention kinds first, then published models
  std::vector<std::string> notes;  // assumptions
  std::vector<std::string> sources;
  std::vector<TradeInput> inputs;
};

/// InputError for unknown names and impossible requests. `where` names the request in complaints.
AttentionTrade trade_attention(const TradeRequest& request, std::string_view where = "compare#");

/// FLOP of the attention cores over the cached bytes they read, for `query_tokens` queries per
/// sequence (1 + drafts under speculation) that end at `context_tokens`.
FlopsPerByte core_intensity(const model::ArchSpec& arch, const model::KvLayout& layout,
                            double context_tokens, double query_tokens = 1.0);

/// The row with that label, or null.
const TradeRow* find_row(const AttentionTrade& trade, std::string_view label);

nlohmann::json to_json(const AttentionTrade& trade);

}  // namespace fathom::study
