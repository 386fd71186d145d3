#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hw/cluster.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// What a scenario changes about its machine: a question about hardware, not a measurement of it.
/// Factors go on the profile's figures; efficiencies and latencies stay as they are.
struct HardwareChange {
  double memory_bandwidth = 1.0;
  double scale_up_bandwidth = 1.0;   // of the innermost links
  double scale_out_bandwidth = 1.0;  // of all links beyond those
  std::optional<double> usd_per_device_hour;
  bool operator==(const HardwareChange&) const = default;
};

/// Reads `hardware_change` and puts it into the cluster. InputError for a change that has nothing
/// to act on: a machine of one node has no scale-out links.
HardwareChange read_hardware_change(JsonReader& in, hw::Cluster& cluster);
/// Adds what differs from the profile.
void add_hardware_change(const HardwareChange& change, nlohmann::json& out);

/// Sentences that confess it.
std::vector<std::string> describe(const HardwareChange& change, const hw::Cluster& cluster);

}  // namespace fathom::study
