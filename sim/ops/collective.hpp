#pragma once

#include <cstdint>

#include "core/units.hpp"
#include "ops/cost.hpp"

namespace fathom::ops {

enum class CollectiveKind : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  send_recv
};

/// Ranks 0, stride, 2 stride, … of the machine, `size` of them: TP groups have stride 1, CP stride
/// TP, PP stride TP·CP·DP.
struct RankGroup {
  std::int64_t size = 1;
  std::int64_t stride = 1;
  bool operator==(const RankGroup&) const = default;
};

struct Collective {
  CollectiveKind kind = CollectiveKind::all_reduce;
  RankGroup group;
  Bytes payload;  // all_reduce, send_recv: the message; all_gather, reduce_scatter: the whole
                  // result; all_to_all: sent per rank
  bool operator==(const Collective&) const = default;
};

enum class Exchange : std::uint8_t { dispatch, combine };
enum class ExchangePart : std::uint8_t { whole, send, net, receive };

/// Expert-parallel all-to-all: every rank sends each of its tokens to the experts the router chose.
struct ExpertExchange {
  Exchange direction = Exchange::dispatch;
  ExchangePart part =
      ExchangePart::whole;  // low latency: SM-busy send, net, SM-busy receive are three operators
  RankGroup group;
  double tokens = 0.0;   // per rank
  double copies = 0.0;   // experts per token
  double experts = 0.0;  // slots of the whole group
  Bytes copy_bytes;      // one token once, scales included
  std::int64_t n_group =
      1;  // node-limited routing: a token uses topk_group of n_group expert groups
  std::int64_t topk_group = 1;
  bool low_latency = false;  // every copy goes straight to its rank; otherwise once per node, then
                             // over the scale-up link
  bool per_node = false;     // low latency: one copy per node over the fabric, forwarded inside it
  bool all_remote = false;  // planning bound: no copy stays on its own node (ISCA'25 section 2.3.2)
  double load = 1.0;        // slowest rank / mean
  bool operator==(const ExpertExchange&) const = default;
};

}  // namespace fathom::ops
