#include "net/collective_time.hpp"

#include <algorithm>
#include <cmath>

#include "core/portable_math.hpp"
#include "net/topology.hpp"

namespace fathom::net {
namespace {

using ops::CollectiveKind;

// In-switch reduction (NVLS) against a ring on the same link: 1.29x on 8 x H200, 1.23x on 8 x B200,
// none up to 4 GPUs (stas00/ml-engineering, network/README.md).
constexpr double kInNetworkGain = 1.29;
constexpr double kInNetworkMinRanks = 5.0;
// A hot rank is hot on one side of the exchange only.
constexpr double kImbalanceShare = 0.5;

hw::Family family_of(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::all_reduce:
      return hw::Family::all_reduce;
    case CollectiveKind::all_gather:
      return hw::Family::all_gather;
    case CollectiveKind::reduce_scatter:
      return hw::Family::reduce_scatter;
    case CollectiveKind::all_to_all:
      return hw::Family::all_to_all;
    case CollectiveKind::send_recv:
      return hw::Family::send_recv;
  }
  return hw::Family::all_reduce;
}

double levels(double ranks) { return std::ceil(portable::log2(std::max(ranks, 1.0))); }

CommTime finish(Seconds alpha, Seconds near, Seconds far, bool side_by_side, Bytes near_bytes,
                Bytes far_bytes) {
  CommTime out;
  out.serialisation = side_by_side ? std::max(near, far) : near + far;
  out.total = alpha + out.serialisation;
  out.near_bytes = near_bytes;
  out.far_bytes = far_bytes;
  out.crosses_nodes = far_bytes.value > 0.0;
  out.latency_bound = alpha > out.serialisation;
  return out;
}

CommTime send(const ops::Collective& op, const GroupSpan& span, const hw::Efficiency& eff) {
  const bool far = span.nodes > 1.0;
  const hw::LinkTier& tier = far ? *span.far : *span.near;
  const Seconds time = op.payload / (tier.peer_bandwidth * (far ? eff.memory : eff.near));
  const Bytes none;
  return finish(eff.overhead + tier.latency, time, Seconds{}, false, far ? none : op.payload,
                far ? op.payload : none);
}

}  // namespace

CommTime time_of(const ops::Collective& op, const hw::Cluster& cluster) {
  if (op.group.size <= 1) return {};
  const hw::Efficiency& eff = cluster.efficiency.lookup(family_of(op.kind), Math::bf16);
  const GroupSpan span = span_of(op.group, cluster);
  if (op.kind == CollectiveKind::send_recv) return send(op, span, eff);

  const bool reduce = op.kind == CollectiveKind::all_reduce;
  const double passes = reduce ? 2.0 : 1.0;
  const BytesPerSecond near_link = span.near->bandwidth * eff.near;
  const BytesPerSecond far_link = span.far->bandwidth * eff.memory;
  const double p = span.near_ranks;
  const double q = span.nodes;
  const Seconds alpha = eff.overhead + levels(p) * span.near->latency +
                        (q > 1.0 ? passes * levels(q) * span.far->latency : Seconds{});
  if (op.kind == CollectiveKind::all_to_all) {
    const Bytes near = op.payload * ((p - 1.0) / span.ranks);
    const Bytes far = op.payload * ((span.ranks - p) / span.ranks);
    return finish(alpha, near / near_link, far / far_link, true, near, far);
  }
  const Bytes near = passes * op.payload * ((p - 1.0) / p);
  const Bytes far = passes * (op.payload / p) * ((q - 1.0) / q);
  const bool in_switch = reduce && span.near->in_network_reduction && p >= kInNetworkMinRanks;
  return finish(alpha, near / near_link / (in_switch ? kInNetworkGain : 1.0), far / far_link, false,
                near, far);
}

double hot_side(const ops::ExpertExchange& op) { return 1.0 + (op.load - 1.0) * kImbalanceShare; }

CommTime time_of(const ops::ExpertExchange& op, const hw::Cluster& cluster) {
  if (op.group.size <= 1) return {};
  const bool out = op.direction == ops::Exchange::dispatch;
  const hw::Family family =
      op.low_latency ? (out ? hw::Family::dispatch_low_latency : hw::Family::combine_low_latency)
                     : (out ? hw::Family::dispatch : hw::Family::combine);
  const hw::Efficiency& eff = cluster.efficiency.lookup(family, Math::bf16);
  const GroupSpan span = span_of(op.group, cluster);
  const Bytes once = op.tokens * op.copy_bytes * hot_side(op);  // every token one time

  const double own_node = op.all_remote ? 0.0 : 1.0 / span.nodes;
  const double own_rank = op.all_remote ? 0.0 : 1.0 / span.ranks;
  double far_copies = 0.0;
  double near_copies = 0.0;
  if (op.low_latency && !op.per_node) {
    far_copies = op.copies * (1.0 - own_node);
    near_copies = op.copies * (own_node - own_rank);
  } else {
    const double ranks = expected_bins(span.ranks, op.copies, op.n_group, op.topk_group);
    const double nodes = expected_bins(span.nodes, op.copies, op.n_group, op.topk_group);
    far_copies = nodes * (1.0 - own_node);
    // what arrived over the fabric landed on one rank of its node and is forwarded to the others
    near_copies = ranks * (1.0 - own_rank);
  }
  if (span.nodes <= 1.0 && !op.all_remote) far_copies = 0.0;
  const bool far_on_near =
      span.nodes <= 1.0;  // a planning bound inside one scale-up domain still uses its link
  const Bytes near = once * (near_copies + (far_on_near ? far_copies : 0.0));
  const Bytes far = once * (far_on_near ? 0.0 : far_copies);
  const Seconds alpha = eff.overhead + span.far->latency;
  return finish(alpha, near / (span.near->bandwidth * eff.near),
                far / (span.far->bandwidth * eff.memory), true, near, far);
}

}  // namespace fathom::net
