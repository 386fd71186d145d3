#include "mapping/expert_placement.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"

namespace fathom::mapping {
namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
std::int64_t ssize(std::size_t n) { return static_cast<std::int64_t>(n); }

std::vector<float> load_per_group(std::span<const float> load, std::int64_t groups) {
  const std::size_t size = load.size() / index(groups);
  std::vector<float> sums;
  for (std::size_t begin = 0; begin < load.size(); begin += size) {
    const auto group = load.subspan(begin, size);
    sums.push_back(std::accumulate(group.begin(), group.end(), 0.0F));
  }
  return sums;
}

/// Logical experts of every node: whole groups, in the order in which they were packed.
std::vector<std::vector<std::int64_t>> experts_per_node(std::span<const float> load,
                                                        std::int64_t groups, std::int64_t nodes) {
  const Packing packing = balanced_packing(load_per_group(load, groups), nodes);
  const std::int64_t size = ssize(load.size()) / groups;
  const std::int64_t groups_per_node = groups / nodes;
  std::vector experts(index(nodes), std::vector<std::int64_t>(index(groups_per_node * size)));
  for (std::int64_t group = 0; group < groups; ++group) {
    auto& node = experts[index(packing.pack[index(group)])];
    const auto begin = node.begin() + packing.rank[index(group)] * size;
    std::iota(begin, begin + size, group * size);
  }
  return experts;
}

/// Replicates the experts of one node and packs them onto the slots from `first_slot` on.
void fill_node(std::span<const float> load, std::span<const std::int64_t> experts,
               std::int64_t first_slot, const PlacementSpec& spec, ExpertPlacement& out) {
  std::vector<float> local;
  local.reserve(experts.size());
  for (const std::int64_t e : experts) local.push_back(load[index(e)]);
  const auto expert_of = replicate_experts(local, spec.num_replicas / spec.num_nodes);
  std::vector<float> count(local.size());
  for (const std::int64_t e : expert_of) count[index(e)] += 1.0F;
  std::vector<float> replica_load;
  replica_load.reserve(expert_of.size());
  for (const std::int64_t e : expert_of) {
    replica_load.push_back(local[index(e)] / count[index(e)]);
  }
  const Packing packing = balanced_packing(replica_load, spec.num_gpus / spec.num_nodes);
  const std::int64_t slots_per_gpu = spec.num_replicas / spec.num_gpus;
  for (std::size_t r = 0; r < expert_of.size(); ++r) {
    const std::int64_t expert = experts[index(expert_of[r])];
    const std::int64_t slot = first_slot + packing.pack[r] * slots_per_gpu + packing.rank[r];
    out.physical_to_logical[index(slot)] = expert;
    out.logical_to_physical[index(expert)].push_back(slot);
  }
}

}  // namespace

Packing balanced_packing(std::span<const float> weights, std::int64_t packs) {
  FATHOM_EXPECT(packs > 0 && ssize(weights.size()) % packs == 0, "items do not fill the packs");
  const std::int64_t room = ssize(weights.size()) / packs;
  Packing out{std::vector<std::int64_t>(weights.size()), std::vector<std::int64_t>(weights.size())};
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The source leaves packs of one item in the items' order; sorting would only rename the packs.
  // Replicas of one expert weigh the same, and which comes first is up to the sort. The source's
  // (torch on a CPU) is libstdc++'s std::sort, so this is too, and agrees slot by slot; a stable
  // sort would give the same loads with some equal replicas exchanged.
  if (room > 1) {
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return weights[a] > weights[b]; });
  }
  std::vector<float> weight(index(packs));
  std::vector<std::int64_t> items(index(packs));
  for (const std::size_t item : order) {
    std::size_t lightest = weight.size();
    for (std::size_t p = 0; p < weight.size(); ++p) {
      if (items[p] == room) continue;
      if (lightest == weight.size() || weight[p] < weight[lightest]) lightest = p;
    }
    out.pack[item] = ssize(lightest);
    out.rank[item] = items[lightest]++;
    weight[lightest] += weights[item];
  }
  return out;
}

std::vector<std::int64_t> replicate_experts(std::span<const float> load, std::int64_t slots) {
  FATHOM_EXPECT(slots >= ssize(load.size()), "fewer slots than experts");
  std::vector<std::int64_t> expert_of(load.size());
  std::iota(expert_of.begin(), expert_of.end(), std::int64_t{0});
  std::vector<float> count(load.size(), 1.0F);
  while (ssize(expert_of.size()) < slots) {
    std::size_t busiest = 0;
    for (std::size_t e = 1; e < load.size(); ++e) {
      if (load[e] / count[e] > load[busiest] / count[busiest]) busiest = e;
    }
    expert_of.push_back(ssize(busiest));
    count[busiest] += 1.0F;
  }
  return expert_of;
}

bool is_hierarchical(const PlacementSpec& spec) { return spec.num_groups % spec.num_nodes == 0; }

const char* placement_problem(const PlacementSpec& spec, std::int64_t experts) {
  if (experts < 1 || spec.num_groups < 1 || spec.num_nodes < 1 || spec.num_gpus < 1) {
    return "needs at least one expert, group, node and GPU";
  }
  if (spec.num_replicas < experts) return "fewer replicas than experts";
  if (spec.num_replicas % spec.num_gpus != 0) return "GPUs do not divide the replicas";
  if (!is_hierarchical(spec)) return "";
  if (experts % spec.num_groups != 0) return "groups do not divide the experts";
  if (spec.num_gpus % spec.num_nodes != 0) return "nodes do not divide the GPUs";
  return "";
}

ExpertPlacement place_experts(std::span<const float> load, const PlacementSpec& spec) {
  FATHOM_EXPECT(*placement_problem(spec, ssize(load.size())) == '\0', "placement is impossible");
  PlacementSpec effective = spec;
  if (!is_hierarchical(spec)) effective.num_groups = effective.num_nodes = 1;
  ExpertPlacement out;
  out.physical_to_logical.resize(index(spec.num_replicas));
  out.logical_to_physical.resize(load.size());
  const auto nodes = experts_per_node(load, effective.num_groups, effective.num_nodes);
  const std::int64_t slots_per_node = effective.num_replicas / effective.num_nodes;
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    fill_node(load, nodes[node], ssize(node) * slots_per_node, effective, out);
  }
  return out;
}

std::vector<ExpertPlacement> rebalance_experts(const std::vector<std::vector<float>>& loads,
                                               const PlacementSpec& spec) {
  std::vector<ExpertPlacement> out;
  out.reserve(loads.size());
  for (const auto& load : loads) out.push_back(place_experts(load, spec));
  return out;
}

std::vector<float> per_gpu_load(std::span<const float> load, const ExpertPlacement& placement,
                                std::int64_t num_gpus) {
  const std::int64_t slots_per_gpu = ssize(placement.physical_to_logical.size()) / num_gpus;
  std::vector<float> out(index(num_gpus));
  for (std::size_t slot = 0; slot < placement.physical_to_logical.size(); ++slot) {
    const std::int64_t expert = placement.physical_to_logical[slot];
    const auto sharers = static_cast<float>(placement.count(expert));
    out[index(ssize(slot) / slots_per_gpu)] += load[index(expert)] / sharers;
  }
  return out;
}

double balancedness(std::span<const float> load_per_gpu) {
  FATHOM_EXPECT(!load_per_gpu.empty(), "no GPU");
  const double top = *std::ranges::max_element(load_per_gpu);
  const double sum = std::accumulate(load_per_gpu.begin(), load_per_gpu.end(), 0.0);
  return top == 0.0 ? 1.0 : sum / static_cast<double>(load_per_gpu.size()) / top;
}

}  // namespace fathom::mapping
