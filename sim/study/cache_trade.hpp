#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "study/basis.hpp"

namespace fathom::study {

/// What caches take as contexts grow, and how many of them a device's memory is.
struct CacheTradeRequest {
  std::vector<std::string> models;      // NAME|FILE, as published
  std::string base;                     // NAME|FILE whose attention is exchanged; empty: none
  std::vector<std::string> attentions;  // kinds given to it
  std::vector<std::int64_t> contexts{1024,  2048,   4096,   8192,   16384,  32768,
                                     65536, 131072, 262144, 524288, 1048576};
  std::vector<std::string> kv{"bf16"};  // layouts; the first is drawn
  std::vector<std::string> hardware;    // whose memory is compared with
  bool operator==(const CacheTradeRequest&) const = default;
};

/// One model under one layout.
struct CacheCurve {
  std::string kv;
  Bytes growth_per_token;              // beyond every window
  std::vector<Bytes> bytes;            // of one sequence, per context
  std::vector<double> longest_tokens;  // per device: the context whose cache fills its memory
};

struct CacheRow {
  std::string label;
  std::string exchanged;                     // the kind asked for; empty: as published
  std::int64_t max_position_embeddings = 0;  // 0: unknown
  std::vector<CacheCurve> curves;            // per layout that the model's cache can have
};

struct CacheDevice {
  std::string id;
  Bytes memory;  // usable, of one device
  std::int64_t devices_per_node = 1;
};

struct CacheTrade {
  CacheTradeRequest request;
  std::vector<CacheRow> rows;
  std::vector<CacheDevice> devices;
  Basis basis;
};

CacheTrade trade_cache(const CacheTradeRequest& request, std::string_view where);

}  // namespace fathom::study
