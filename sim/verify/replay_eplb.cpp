#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mapping/expert_placement.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using kernels::Indices;
using kernels::Tensor;
using mapping::ExpertPlacement;
using mapping::PlacementSpec;
using Loads = std::vector<std::vector<float>>;

bool matches_eplb(const GoldenCase& c) {
  const auto& config = c.config();
  if (!config.contains("sets") || !config["sets"].is_array() || config["sets"].empty()) {
    return false;
  }
  const auto& first = config["sets"].front();
  return first.is_object() && first.contains("replicas") && first.contains("gpus");
}

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

Loads read_loads(const GoldenCase& c, const std::string& name) {
  const Indices table = c.input_ids(name);
  Loads loads;
  for (std::int64_t layer = 0; layer < table.rows(); ++layer) {
    auto& load = loads.emplace_back();
    for (const std::int64_t tokens : table.row(layer)) load.push_back(static_cast<float>(tokens));
  }
  return loads;
}

Indices physical_to_logical(const std::vector<ExpertPlacement>& layers) {
  Indices out;
  for (const auto& p : layers) {
    out.data.insert(out.data.end(), p.physical_to_logical.begin(), p.physical_to_logical.end());
  }
  const auto count = static_cast<std::int64_t>(layers.size());
  return {{count, out.size() / count}, out.data};
}

Indices counts(const std::vector<ExpertPlacement>& layers, std::int64_t experts) {
  Indices out{{static_cast<std::int64_t>(layers.size()), experts}};
  for (std::int64_t i = 0; i < out.size(); ++i) {
    out[i] = layers[index(i / experts)].count(i % experts);
  }
  return out;
}

/// [layers, experts, largest count], padded with -1.
Indices logical_to_physical(const std::vector<ExpertPlacement>& layers, const Indices& count) {
  const std::int64_t width = *std::ranges::max_element(count.data);
  Indices out{{count.dim(0), count.dim(1), width},
              std::vector<std::int64_t>(index(count.size() * width), -1)};
  for (std::int64_t i = 0; i < count.size(); ++i) {
    const auto& layer = layers[index(i / count.dim(1))];
    std::ranges::copy(layer.logical_to_physical[index(i % count.dim(1))], out.row(i).begin());
  }
  return out;
}

template <class T>
void replay_set(const GoldenCase& c, JsonReader set, Produced<T>& out) {
  const std::string name = set.string("name");
  const PlacementSpec spec{.num_replicas = set.integer("replicas", 1),
                           .num_groups = set.integer("groups", 1),
                           .num_nodes = set.integer("nodes", 1),
                           .num_gpus = set.integer("gpus", 1)};
  const Loads loads = read_loads(c, name + ".load");
  const auto experts = static_cast<std::int64_t>(loads.front().size());
  const std::string problem = mapping::placement_problem(spec, experts);
  if (!problem.empty()) set.fail("replicas", problem);

  const auto layers = mapping::rebalance_experts(loads, spec);
  out.put(name + ".physical_to_logical", physical_to_logical(layers));
  const Indices count = counts(layers, experts);
  out.put(name + ".count", count);
  out.put(name + ".logical_to_physical", logical_to_physical(layers, count));
  Tensor<T> load{{count.dim(0), spec.num_gpus}};
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const auto per_gpu = mapping::per_gpu_load(loads[layer], layers[layer], spec.num_gpus);
    std::ranges::transform(per_gpu, load.row(static_cast<std::int64_t>(layer)).begin(),
                           [](float tokens) { return static_cast<T>(tokens); });
  }
  out.put(name + ".per_gpu_load", load);
}

template <class T>
void replay_eplb(const GoldenCase& c, Produced<T>& out) {
  for (std::size_t i = 0; i < c.config()["sets"].size(); ++i) {
    replay_set(c, c.config_item("sets", i), out);
  }
}

}  // namespace

extern const Family kEplb;
const Family kEplb{"eplb", matches_eplb, replay_eplb<float>, replay_eplb<double>};

}  // namespace fathom::verify
