#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "hw/cluster.hpp"
#include "mapping/plan.hpp"
#include "model/graph.hpp"
#include "model/precision.hpp"
#include "ops/op.hpp"

namespace fathom::mapping {

/// What runs side by side on one device.
enum class Lane : std::uint8_t { compute, intra_node, inter_node, copy };
inline constexpr std::size_t kLaneCount = 4;
std::string_view name(Lane lane);

struct MappedNode {
  std::string_view name;
  ops::Op op;  // already one rank's share of one micro-batch
  Lane lane = Lane::compute;
  model::Stage stage = model::Stage::attention_1;
  bool operator==(const MappedNode&) const = default;
};

/// One rank's work, blocks as in model::OpGraph with communication inserted.
struct MappedGraph {
  std::vector<MappedNode> nodes;
  std::vector<model::Block> blocks;
  model::Phase phase = model::Phase::decode;
  bool operator==(const MappedGraph&) const = default;
};

/// The sequences (or the part of each sequence) that one rank works on in one of `micro_batches`
/// pieces: dp and micro-batches divide sequences (the largest share counts), cp divides the new
/// tokens of a prompt and the sequences of a decode step. A prompt chunk's place is averaged over
/// ranks: its pairs are exactly 1/cp of the whole (balanced zig-zag).
model::StepShape local_step(const model::StepShape& step, const Plan& plan,
                            std::int64_t micro_batches);
void local_step(const model::StepShape& step, const Plan& plan, std::int64_t micro_batches,
                model::StepShape& out);

/// What map() needs to know beside the graph.
struct MapContext {
  const model::ArchSpec& arch;
  const Plan& plan;
  const hw::Cluster& cluster;
  const model::Precision& precision;
  model::Phase phase = model::Phase::decode;
  std::int64_t micro_batches = 1;
};

/// Cuts every operator as its Shard tag says and inserts the collectives that this makes necessary.
/// `graph` was lowered for local_step(); embedding and head, which run once for all micro-batches,
/// get their rows. The overload that fills `out` reuses its storage.
MappedGraph map(const model::OpGraph& graph, const MapContext& context);
void map(const model::OpGraph& graph, const MapContext& context, MappedGraph& out);

nlohmann::json to_json(const MappedGraph& graph);

}  // namespace fathom::mapping
