// Laws that hold for every system and efficiency file we ship.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "hw/cluster.hpp"
#include "hw/documents.hpp"

namespace fathom::hw {
namespace {

TEST_CASE("every shipped system loads and has no finding but a missing price", "[hw][profiles]") {
  const auto names = list_data_files("hwprofiles");
  REQUIRE(names.size() >= 21);
  for (const auto& name : names) {
    CAPTURE(name);
    const auto cluster = load_cluster(name);
    CHECK(cluster.id == name);
    CHECK_FALSE(cluster.sources.empty());
    CHECK_FALSE(cluster.hash.empty());
    for (const auto& finding : check(cluster)) {
      CAPTURE(finding);
      CHECK(finding.find("/price/") == 0);
    }
  }
}

TEST_CASE("every shipped efficiency file loads under its own name", "[hw][profiles]") {
  const auto names = list_data_files("hwprofiles/efficiency");
  REQUIRE(names.size() >= 13);
  for (const auto& name : names) {
    CAPTURE(name);
    CHECK(load_efficiency(name).name == name);
  }
}

TEST_CASE("every efficiency file is used by a system or describes another stack of one",
          "[hw][profiles]") {
  std::vector<std::string> used;
  for (const auto& name : list_data_files("hwprofiles")) {
    used.push_back(load_cluster(name).efficiency.name);
  }
  for (const auto& name : list_data_files("hwprofiles/efficiency")) {
    CAPTURE(name);
    const auto file = test::efficiencies(name);
    const bool stack = file.contains("transfer") && file["transfer"].value("same_device", false);
    CHECK((stack || std::find(used.begin(), used.end(), name) != used.end()));
  }
}

TEST_CASE("bf16 ridge points are the known ones", "[hw][profiles]") {
  struct Row {
    const char* name;
    double flop_per_byte;
  };
  // Dense bf16 peak over memory bandwidth, rounded: 989.4e12 / 3.35e12 = 295.3 and so on.
  const auto row =
      GENERATE(Row{"a100-sxm", 153}, Row{"h100-sxm", 295}, Row{"h800", 295}, Row{"h200", 206},
               Row{"h20", 37}, Row{"b200", 292}, Row{"gb200-nvl72", 312}, Row{"mi300x", 247},
               Row{"mi355x", 315}, Row{"ascend-cm384", 235});
  CAPTURE(row.name);
  const auto device = load_cluster(row.name).device;
  CHECK(std::abs(ridge(device, Math::bf16).value - row.flop_per_byte) <= 0.5);
}

TEST_CASE("a profile quotes H800 as the ISCA paper does", "[hw][profiles]") {
  const auto h800 = load_cluster("h800");
  REQUIRE(h800.tiers.size() == 3);
  CHECK(h800.tiers[0].bandwidth == 200_GB_s);  // 400 GB/s bidirectional
  CHECK(h800.tiers[1].bandwidth == 50_GB_s);   // 400 Gb/s
  CHECK(h800.tiers[0].latency.value == Approx(3.33e-6).epsilon(1e-12));
  CHECK(h800.tiers[2].group == 8 * 2048);  // eight planes of 64 * 64 / 2 endpoints
  CHECK(h800.device.memory_capacity == 80_GiB);
}

TEST_CASE("one peer of a mesh gets one link", "[hw][profiles]") {
  const auto tier = load_cluster("mi300x").tiers.front();
  CHECK(tier.peer_bandwidth == 64_GB_s);
  CHECK(tier.bandwidth == tier.peer_bandwidth * 7.0);
}

TEST_CASE("the limit profiles leave nothing but the link", "[hw][profiles]") {
  const auto limit = load_cluster("limit-ib-50gb-s");
  const Flops step{1e18};  // more than any layer of any model
  CHECK((step / limit.device.peak_of(Math::fp8)).value < 1e-5);
  CHECK(limit.tiers.front().latency.value == 0.0);
  const auto& dispatch = limit.efficiency.lookup(Family::dispatch_low_latency, Math::fp8);
  CHECK(dispatch.memory == 1.0);
  CHECK(dispatch.near == 1.0);
  CHECK(dispatch.overhead.value == 0.0);
  CHECK(dispatch.sm_busy_fixed_s == 0.0);
}

}  // namespace
}  // namespace fathom::hw
