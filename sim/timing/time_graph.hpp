#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "hw/cluster.hpp"
#include "mapping/map.hpp"
#include "mapping/memory.hpp"
#include "timing/roofline.hpp"
#include "timing/schedule.hpp"

namespace fathom::timing {

/// One operator of one rank and micro-batch with its time; start and end are inside its block, as
/// if nothing overlapped.
struct TimedNode {
  std::string_view name;
  mapping::Lane lane = mapping::Lane::compute;
  model::Stage stage = model::Stage::attention_1;
  Seconds start;
  Seconds end;
  OpTime time;
  bool operator==(const TimedNode&) const = default;
};

/// A MappedGraph's nodes (same indices) with times, and each block as the scheduler sees it.
struct TimedGraph {
  std::vector<TimedNode> nodes;
  std::vector<LayerTasks> tasks;  // per block
  std::vector<Seconds> once;      // per block: work outside the layers' schedule (embedding, head)
  std::vector<model::Block> blocks;
};

struct TimingOptions {
  bool overlap = false;  // two micro-batches share the lanes
  Order order = Order::half_layer;
};

/// The calls of the last graph on one cluster and their times: steps that differ in their context
/// alone, say, share every product, whose time is the dearest to find.
struct Remembered {
  std::vector<ops::Op> calls;  // by node
  std::vector<OpTime> times;
  double sm_share = 1.0;
};

/// Reuses `out`'s storage. With overlap and throughput all-to-all kernels, compute runs on the SMs
/// that those kernels leave. A `memory` belongs to one cluster.
void time_graph(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                const TimingOptions& options, TimedGraph& out, Remembered& memory);
TimedGraph time_graph(const mapping::MappedGraph& graph, const hw::Cluster& cluster,
                      const TimingOptions& options);

/// One step of one rank: what summarize() makes of a TimedGraph.
struct StepEstimate {
  Seconds latency;
  Seconds exposed_communication;  // time in which compute waits for a wire
  std::array<Seconds, mapping::kLaneCount> lane_busy{};
  std::array<Seconds, kBoundCount> by_bound{};  // sum over operators, before overlap
  std::array<Seconds, hw::kEvidenceCount>
      by_evidence{};      // the same, by what the efficiency rests on
  double launches = 0.0;  // kernels
  Flops flops;
  Bytes device_bytes;
  bool operator==(const StepEstimate&) const = default;
};

/// Which layers a rank runs, prepared once per plan.
struct StageProgram {
  std::vector<int> sequence;  // layer kinds, then mtp blocks; indices into TimedGraph::blocks
  Folding folding;
  std::vector<int> outer;  // blocks outside the layer schedule (embedding, head), run once
};
StageProgram stage_program(const mapping::RankClass& rank_class, const mapping::MappedGraph& graph);

StepEstimate summarize(const TimedGraph& timed, const StageProgram& program, int micro_batches,
                       const TimingOptions& options);

nlohmann::json to_json(const TimedGraph& graph);
nlohmann::json to_json(const StepEstimate& estimate);

}  // namespace fathom::timing
