#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::mapping {

/// Where the replicas of a layer's experts may go. Field names follow deepseek-ai/EPLB, eplb.py.
/// GPUs are numbered node by node; GPU g holds physical slots [g, g + 1) * num_replicas / num_gpus.
struct PlacementSpec {
  std::int64_t num_replicas = 0;  // physical experts, redundant ones included
  std::int64_t num_groups = 1;    // routing groups of logical experts
  std::int64_t num_nodes = 1;
  std::int64_t num_gpus = 1;
  bool operator==(const PlacementSpec&) const = default;
};

/// One layer's experts on their physical slots.
struct ExpertPlacement {
  std::vector<std::int64_t> physical_to_logical;               // [num_replicas]
  std::vector<std::vector<std::int64_t>> logical_to_physical;  // [experts][replicas of it]
  bool operator==(const ExpertPlacement&) const = default;

  std::int64_t count(std::int64_t expert) const {
    return static_cast<std::int64_t>(
        logical_to_physical.at(static_cast<std::size_t>(expert)).size());
  }
};

/// Items spread over packs of equal size.
struct Packing {
  std::vector<std::int64_t> pack;  // of each item
  std::vector<std::int64_t> rank;  // of each item within its pack
};

/// Heaviest item first, each into the lightest pack that has room, the first one among equals. The
/// number of items must be a multiple of `packs`.
Packing balanced_packing(std::span<const float> weights, std::int64_t packs);

/// Replica counts that keep the largest load per replica low: the expert with the largest
/// load / count (the first among equals) gets the next redundant slot until `slots` are used.
/// Returns the expert of every slot; the first slots are one per expert, in order.
std::vector<std::int64_t> replicate_experts(std::span<const float> load, std::int64_t slots);

/// Whether the groups divide evenly over the nodes, so that groups stay on one node.
bool is_hierarchical(const PlacementSpec& spec);

/// What is wrong with `spec` for so many experts, or empty.
const char* placement_problem(const PlacementSpec& spec, std::int64_t experts);

/// Places one layer (`load` per logical expert: tokens) as deepseek-ai/EPLB does. Hierarchical
/// (prefill): whole groups are packed onto nodes, experts are replicated within their node and
/// replicas packed onto its GPUs. Otherwise global (decode): the same with nodes and groups
/// ignored. Arithmetic is float32, as in the source.
ExpertPlacement place_experts(std::span<const float> load, const PlacementSpec& spec);

/// place_experts for every layer; `loads` is [layers][experts].
std::vector<ExpertPlacement> rebalance_experts(const std::vector<std::vector<float>>& loads,
                                               const PlacementSpec& spec);

/// Tokens per GPU when an expert's load is shared evenly by its replicas, in float32.
std::vector<float> per_gpu_load(std::span<const float> load, const ExpertPlacement& placement,
                                std::int64_t num_gpus);

/// Mean over largest: 1 is perfect, 1/n means one of n GPUs does everything. 1 without any load.
double balancedness(std::span<const float> load_per_gpu);

}  // namespace fathom::mapping
