#include "study/hardware_change.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"
#include "lang/say.hpp"

namespace fathom::study {
namespace {

using lang::say;

constexpr const char* kKey = "hardware_change";
// A thousandth to a thousandfold of a machine that exists: beyond, the efficiencies say nothing.
constexpr double kSmallest = 1e-3;
constexpr double kLargest = 1e3;
constexpr double kLeastPrice = 1e-4;  // as in profiles, USD per device and hour
constexpr double kMostPrice = 1e6;

double factor(JsonReader& in, std::string_view key) {
  return in.number_or(key, 1.0, kSmallest, kLargest);
}

void scale(hw::LinkTier& tier, double factor) {
  tier.bandwidth *= factor;
  tier.peer_bandwidth *= factor;
}

void apply(const HardwareChange& change, hw::Cluster& cluster) {
  cluster.device.memory_bandwidth *= change.memory_bandwidth;
  for (std::size_t i = 0; i < cluster.tiers.size(); ++i)
    scale(cluster.tiers[i], i == 0 ? change.scale_up_bandwidth : change.scale_out_bandwidth);
  if (change.usd_per_device_hour) {
    cluster.price = {.per_device_hour = Usd{*change.usd_per_device_hour},
                     .basis = "assumed",
                     .source = "the scenario's hardware_change"};
  }
}

}  // namespace

HardwareChange read_hardware_change(JsonReader& parent, hw::Cluster& cluster) {
  HardwareChange out;
  auto in = parent.object_opt(kKey);
  if (!in) return out;
  out.memory_bandwidth = factor(*in, "memory_bandwidth_factor");
  out.scale_up_bandwidth = factor(*in, "scale_up_bandwidth_factor");
  out.scale_out_bandwidth = factor(*in, "scale_out_bandwidth_factor");
  if (out.scale_out_bandwidth != 1.0 && cluster.tiers.size() < 2) {
    in->fail("scale_out_bandwidth_factor",
             fmt::format("{} has no links beyond its innermost ones", cluster.id));
  }
  if (in->has("usd_per_device_hour"))
    out.usd_per_device_hour = in->number("usd_per_device_hour", kLeastPrice, kMostPrice);
  in->finish();
  apply(out, cluster);
  return out;
}

void add_hardware_change(const HardwareChange& change, nlohmann::json& out) {
  auto mine = nlohmann::json::object();
  const auto add = [&mine](const char* key, double factor) {
    if (factor != 1.0) mine[key] = factor;
  };
  add("memory_bandwidth_factor", change.memory_bandwidth);
  add("scale_up_bandwidth_factor", change.scale_up_bandwidth);
  add("scale_out_bandwidth_factor", change.scale_out_bandwidth);
  if (change.usd_per_device_hour) mine["usd_per_device_hour"] = *change.usd_per_device_hour;
  if (!mine.empty()) out[kKey] = std::move(mine);
}

std::vector<std::string> describe(const HardwareChange& change, const hw::Cluster& cluster) {
  std::vector<std::string> out;
  if (change.memory_bandwidth != 1.0) {
    out.push_back(say("{} with {} times its memory bandwidth; efficiencies and latencies stay.",
                      cluster.id, change.memory_bandwidth));
  }
  if (change.scale_up_bandwidth != 1.0) {
    out.push_back(say("{} with {} times its scale-up bandwidth; efficiencies and latencies stay.",
                      cluster.id, change.scale_up_bandwidth));
  }
  if (change.scale_out_bandwidth != 1.0) {
    out.push_back(say("{} with {} times its scale-out bandwidth; efficiencies and latencies stay.",
                      cluster.id, change.scale_out_bandwidth));
  }
  if (change.usd_per_device_hour) {
    out.push_back(say("{} at {} USD per device and hour, as the scenario says.", cluster.id,
                      *change.usd_per_device_hour));
  }
  return out;
}

}  // namespace fathom::study
