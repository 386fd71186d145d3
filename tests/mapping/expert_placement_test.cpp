#include "mapping/expert_placement.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "catch.hpp"

using namespace fathom::mapping;

namespace {

/// Loads of very different sizes, as routers produce them.
std::vector<float> skewed_load(std::size_t experts, std::uint64_t seed) {
  std::mt19937_64 random{seed};
  std::vector<float> load;
  for (std::size_t e = 0; e < experts; ++e) {
    const auto rank = static_cast<float>(1 + random() % experts);
    load.push_back(std::floor(1e5F / rank) + static_cast<float>(random() % 100));
  }
  return load;
}

/// Smallest possible maximum of load / count with so many slots, by trying limits downwards.
float smallest_peak(const std::vector<float>& load, std::int64_t slots) {
  std::set<float> limits;
  for (const float l : load) {
    for (std::int64_t c = 1; c <= slots; ++c) limits.insert(l / static_cast<float>(c));
  }
  for (const float limit : limits) {
    std::int64_t needed = 0;
    for (const float l : load) {
      std::int64_t count = 1;
      while (l / static_cast<float>(count) > limit) ++count;
      needed += count;
    }
    if (needed <= slots) return limit;
  }
  return 0.0F;
}

// Hierarchical, global, and one replica each.
const PlacementSpec kSpecs[] = {
    {.num_replicas = 96, .num_groups = 8, .num_nodes = 4, .num_gpus = 16},
    {.num_replicas = 80, .num_groups = 8, .num_nodes = 3, .num_gpus = 40},
    {.num_replicas = 64, .num_groups = 8, .num_nodes = 2, .num_gpus = 8},
};

}  // namespace

TEST_CASE("a placement fills every slot and reaches every expert", "[mapping][invariant]") {
  const PlacementSpec spec = GENERATE(from_range(std::begin(kSpecs), std::end(kSpecs)));
  const auto load = skewed_load(64, 41);
  const ExpertPlacement placement = place_experts(load, spec);
  REQUIRE(placement.physical_to_logical.size() == static_cast<std::size_t>(spec.num_replicas));
  std::int64_t replicas = 0;
  for (std::int64_t expert = 0; expert < 64; ++expert) {
    REQUIRE(placement.count(expert) >= 1);
    replicas += placement.count(expert);
    for (const auto slot : placement.logical_to_physical[static_cast<std::size_t>(expert)]) {
      REQUIRE(placement.physical_to_logical[static_cast<std::size_t>(slot)] == expert);
    }
  }
  CHECK(replicas == spec.num_replicas);
}

TEST_CASE("hierarchical placement keeps a group on one node", "[mapping][invariant]") {
  const PlacementSpec spec{.num_replicas = 96, .num_groups = 8, .num_nodes = 4, .num_gpus = 16};
  REQUIRE(is_hierarchical(spec));
  const ExpertPlacement placement = place_experts(skewed_load(64, 42), spec);
  for (std::size_t group = 0; group < 8; ++group) {
    std::set<std::int64_t> nodes;
    for (std::size_t expert = group * 8; expert < group * 8 + 8; ++expert) {
      for (const auto slot : placement.logical_to_physical[expert]) nodes.insert(slot / 24);
    }
    CHECK(nodes.size() == 1);
  }
}

TEST_CASE("groups that do not divide over the nodes are ignored", "[mapping]") {
  const auto load = skewed_load(64, 43);
  PlacementSpec spec{.num_replicas = 80, .num_groups = 8, .num_nodes = 3, .num_gpus = 40};
  const ExpertPlacement global = place_experts(load, spec);
  spec.num_groups = spec.num_nodes = 1;
  CHECK(global == place_experts(load, spec));
}

TEST_CASE("greedy replication reaches the smallest possible peak", "[mapping][property]") {
  const auto seed = GENERATE(range(0, 10));
  const auto load = skewed_load(12, static_cast<std::uint64_t>(seed));
  std::vector<float> count(12);
  for (const auto e : replicate_experts(load, 20)) count[static_cast<std::size_t>(e)] += 1.0F;
  float peak = 0.0F;
  for (std::size_t e = 0; e < 12; ++e) peak = std::max(peak, load[e] / count[e]);
  CHECK(peak == smallest_peak(load, 20));
}

TEST_CASE("packing puts the heaviest item into the lightest pack with room", "[mapping]") {
  // 9 and 7 open the packs; 5 joins 7 (12), 4 joins 9 (13); 3 joins 12 and fills it; 1 is left.
  const Packing packing = balanced_packing(std::vector<float>{1, 9, 5, 7, 3, 4}, 2);
  CHECK(packing.pack == std::vector<std::int64_t>{0, 0, 1, 1, 1, 0});
  CHECK(packing.rank == std::vector<std::int64_t>{2, 0, 1, 0, 2, 1});
}

TEST_CASE("no tokens are lost between experts and GPUs", "[mapping][property]") {
  const PlacementSpec spec = GENERATE(from_range(std::begin(kSpecs), std::end(kSpecs)));
  const auto load = skewed_load(64, 44);
  const auto per_gpu = per_gpu_load(load, place_experts(load, spec), spec.num_gpus);
  const double total = std::accumulate(load.begin(), load.end(), 0.0);
  const double placed = std::accumulate(per_gpu.begin(), per_gpu.end(), 0.0);
  CHECK(std::abs(placed - total) <= 1e-6 * total);
  CHECK(balancedness(per_gpu) > 0.0);
  CHECK(balancedness(per_gpu) <= 1.0);
}

TEST_CASE("redundant experts balance a skewed load better than none", "[mapping][property]") {
  const auto load = skewed_load(64, 45);
  PlacementSpec spec{.num_replicas = 64, .num_groups = 1, .num_nodes = 1, .num_gpus = 16};
  const auto plain = per_gpu_load(load, place_experts(load, spec), 16);
  spec.num_replicas = 96;
  const auto redundant = per_gpu_load(load, place_experts(load, spec), 16);
  CHECK(balancedness(redundant) > balancedness(plain));
}

TEST_CASE("an even load on equal GPUs is perfectly balanced", "[mapping]") {
  const std::vector<float> load(16, 100.0F);
  const PlacementSpec spec{.num_replicas = 16, .num_groups = 4, .num_nodes = 2, .num_gpus = 8};
  CHECK(balancedness(per_gpu_load(load, place_experts(load, spec), 8)) == 1.0);
  CHECK(balancedness(std::vector<float>{4.0F, 0.0F}) == 0.5);
  CHECK(balancedness(std::vector<float>{0.0F, 0.0F}) == 1.0);
}

TEST_CASE("layers are placed one by one", "[mapping]") {
  const auto first = skewed_load(64, 46);
  const auto second = skewed_load(64, 47);
  const auto layers = rebalance_experts({first, second}, kSpecs[0]);
  REQUIRE(layers.size() == 2);
  CHECK(layers[0] == place_experts(first, kSpecs[0]));
  CHECK(layers[1] == place_experts(second, kSpecs[0]));
}

TEST_CASE("impossible placements are named", "[mapping]") {
  const auto problem = [](PlacementSpec spec) { return std::string{placement_problem(spec, 64)}; };
  CHECK(problem(kSpecs[0]).empty());
  CHECK(problem(kSpecs[1]).empty());
  CHECK(problem({.num_replicas = 32}) == "fewer replicas than experts");
  CHECK(problem({.num_replicas = 65, .num_gpus = 2}) == "GPUs do not divide the replicas");
  CHECK(problem({.num_replicas = 66, .num_groups = 3, .num_gpus = 2}) ==
        "groups do not divide the experts");
  CHECK(problem({.num_replicas = 66, .num_groups = 4, .num_nodes = 2, .num_gpus = 3}) ==
        "nodes do not divide the GPUs");
  CHECK_THROWS(place_experts(skewed_load(64, 48), {.num_replicas = 32}));
}
