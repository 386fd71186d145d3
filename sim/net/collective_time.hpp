#pragma once

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "ops/collective.hpp"

namespace fathom::net {

/// Time of one call on the slowest rank, and what it moves per rank and direction.
struct CommTime {
  Seconds total;
  Seconds serialisation;  // bytes over the binding link
  Bytes near_bytes;       // over the scale-up link
  Bytes far_bytes;        // over the scale-out link
  bool crosses_nodes = false;
  bool latency_bound = false;
};

/// α-β per tier, hierarchical across nodes:
///   all_reduce = reduce-scatter near + all-reduce of the shard far + all-gather near (2 (n-1)/n
///   bytes each level) all_gather, reduce_scatter: (n-1)/n of the payload, the far part once per
///   rail all_to_all: a rank's payload is split evenly over the group; near and far parts run side
///   by side send_recv: one message over the tier that joins the two ranks, at that tier's per-peer
///   bandwidth
/// α is one link latency per tree level plus the software's fixed cost from the efficiency set.
CommTime time_of(const ops::Collective& op, const hw::Cluster& cluster);

/// Expert-parallel all-to-all (DeepEP). Throughput kernels send one copy per node over the fabric
/// and forward over the scale-up link; low-latency kernels send every copy straight to its rank,
/// hybrid ones (per_node) forward like throughput kernels.
/// Both directions are the same but for payload and efficiency. The slower side of an unbalanced
/// exchange is hot in one direction only, so the time grows by half of the imbalance (assumed;
/// reference: step composition study).
CommTime time_of(const ops::ExpertExchange& op, const hw::Cluster& cluster);
/// By how much the slowest rank's exchange takes longer than the mean one's.
double hot_side(const ops::ExpertExchange& op);

}  // namespace fathom::net
