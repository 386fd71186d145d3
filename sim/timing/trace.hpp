#pragma once

#include <optional>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "mapping/map.hpp"
#include "timing/roofline.hpp"
#include "timing/time_graph.hpp"

namespace fathom::timing {

/// What a fitted form was asked and what it said.
struct FitTrace {
  hw::FormUse use{};
  std::vector<double> shape;  // in the order of the form's columns; may go on beyond them
  Seconds form;               // the form alone
  double ratio = 1.0;         // measured over form around this shape; 1: none measured there
  Seconds answer;             // times the ratio, less the launch gap of the measurement
};

/// Terms of the blend, by what keeps a kernel busy.
struct BlendTrace {
  FlopsPerSecond rate;     // the peak times its shares; 0: no arithmetic
  double rate_left = 1.0;  // share that communication kernels leave
  Bytes from_memory;
  Bytes through_cache;
  Seconds compute;
  Seconds memory;
  Seconds stream;   // panels of a tiled product into the SMs
  Seconds passing;  // through the cache, before and after the rest
};

/// A pointwise kernel: bytes left in the cache by its neighbour, the rest from memory.
struct StreamTrace {
  Bytes cached;
  Bytes from_memory;
  double kernels = 1.0;
};

/// α-β of an exchange: fixed latencies, then bytes over the links.
struct WireTrace {
  Seconds alpha;
  Seconds serialisation;
  Bytes near_bytes;
  Bytes far_bytes;
  Seconds sm_time;  // the part of a low-latency exchange that keeps SMs busy, both ends together
};

/// How one call's time came about: the numbers that time_of() had in hand, for people to follow.
/// A fitted form goes before the other terms, which then only say what binds the call.
struct Trace {
  OpTime time;
  hw::Efficiency efficiency;  // the family's entry
  std::optional<FitTrace> fit;
  std::optional<BlendTrace> blend;
  std::optional<StreamTrace> stream;
  std::optional<WireTrace> wire;
  bool inside_experts = false;  // its time is in the fitted time of the routed experts
};

/// The same as time_of(), with its reasons.
Trace trace_of(const ops::Op& op, const hw::Cluster& cluster, const InSitu& in_situ);

/// One trace per node of a graph timed with these options; `time` equals that of time_graph().
std::vector<Trace> traces(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                          const TimingOptions& options);

}  // namespace fathom::timing
