#include "hw/cluster_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>

#include "core/error.hpp"
#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::hw {
namespace {

// No memory shipped or announced streams faster; a rack's total or a capacity typed here does.
constexpr double kMaxMemoryBandwidth = 30e12;
// Datasheets round: 733/362 is a ratio of 2.
constexpr double kRatioTolerance = 0.03;

[[noreturn]] void fail(std::string_view where, std::string_view key, const std::string& message) {
  throw InputError(fmt::format("{}/{}: {}", where, key, message));
}

void expect_ratio(const DeviceProfile& device, const NotedPeaks& noted, Math fast, Math slow,
                  std::initializer_list<double> usual, std::string_view where) {
  const auto base = device.peak_of(slow).value;
  const auto peak = device.peak_of(fast).value;
  if (base <= 0.0 || peak <= 0.0 || noted[static_cast<std::size_t>(fast)]) return;
  const auto ratio = peak / base;
  const bool known = std::any_of(usual.begin(), usual.end(), [&](double r) {
    return std::abs(ratio - r) <= kRatioTolerance * r;
  });
  if (known) return;
  fail(where, fmt::format("peak_dense_tflops/matrix/{}", name(fast)),
       fmt::format("{} times the {} peak; expected {}, or a note that explains it",
                   format_significant(ratio), name(slow), fmt::join(usual, ", ")));
}

}  // namespace

void expect_consistent(const DeviceProfile& device, const NotedPeaks& noted,
                       std::string_view where) {
  if (device.memory_usable > device.memory_capacity) {
    fail(where, "memory/usable_gib", "more than the exposed capacity; expected at most that");
  }
  if (device.memory_bandwidth.value > kMaxMemoryBandwidth) {
    fail(where, "memory/bandwidth_gb_s",
         fmt::format("found {}; expected at most {}, per device",
                     format_si(device.memory_bandwidth.value, "B/s"),
                     format_si(kMaxMemoryBandwidth, "B/s")));
  }
  if (device.peak_of(Math::bf16) < device.peak_of(Math::fp32)) {
    fail(where, "peak_dense_tflops/matrix/bf16",
         "below the vector fp32 peak; expected at least it");
  }
  // 3 and 3.1: Blackwell Ultra trades FP64 and INT8 for FP4.
  expect_ratio(device, noted, Math::fp8, Math::bf16, {1.0, 2.0}, where);
  expect_ratio(device, noted, Math::int8, Math::bf16, {1.0, 2.0}, where);
  expect_ratio(device, noted, Math::fp4, Math::fp8, {1.0, 2.0, 3.0, 3.1}, where);
}

void expect_nested(const std::vector<LinkTier>& tiers, std::string_view where) {
  if (tiers.empty()) fail(where, "interconnect", "no tier; expected at least one, innermost first");
  std::int64_t inner = 1;
  const bool alone = tiers.size() == 1 && tiers.front().group == 1;  // a device without peers
  for (std::size_t i = 0; i < tiers.size(); ++i) {
    const auto& tier = tiers[i];
    const auto key = fmt::format("interconnect/{}", i);
    if ((tier.group <= inner && !alone) || tier.group % inner != 0) {
      fail(where, key + "/group",
           fmt::format("{} devices around groups of {}; expected a larger multiple", tier.group,
                       inner));
    }
    if (tier.peer_bandwidth > tier.bandwidth) {
      fail(where, key + "/peer_bandwidth_gb_s",
           "one peer gets more than all peers together; expected at most bandwidth_gb_s");
    }
    inner = tier.group;
  }
}

std::vector<std::string> check(const Cluster& cluster) {
  std::vector<std::string> findings;
  for (std::size_t i = 1; i < cluster.tiers.size(); ++i) {
    const auto& inner = cluster.tiers[i - 1];
    const auto& outer = cluster.tiers[i];
    if (outer.bandwidth <= inner.bandwidth) continue;
    findings.push_back(lang::say("/interconnect/{}/bandwidth_gb_s: {} is faster than {} inside it",
                                 i, outer.name, inner.name));
  }
  const auto& scale_up = cluster.tiers.front();
  if (cluster.devices_per_node > 1 && scale_up.group < cluster.devices_per_node) {
    findings.push_back(lang::say("/interconnect/0/group: {} joins {} of the {} devices in a node",
                                 scale_up.name, scale_up.group, cluster.devices_per_node));
  }
  if (cluster.price.per_device_hour.value <= 0.0 && cluster.status == "production") {
    findings.emplace_back("/price/usd_per_device_hour: unknown; costs cannot be computed");
  }
  return findings;
}

}  // namespace fathom::hw
