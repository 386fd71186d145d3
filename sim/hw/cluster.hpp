#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "core/units.hpp"
#include "hw/efficiency.hpp"

namespace fathom::hw {

struct DeviceProfile {
  std::string id;
  std::string kind;  // gpu, npu, cpu, soc
  std::string arch;
  Bytes memory_capacity;  // as exposed, binary multiples
  Bytes memory_usable;    // what software sees after the driver's share
  BytesPerSecond memory_bandwidth;
  std::array<FlopsPerSecond, kMathCount> peak{};  // dense; 0: not supported
  double sm_count = 0.0;
  Bytes l2;
  double tdp_w = 0.0;  // 0: unknown
  FlopsPerSecond peak_of(Math math) const { return peak[static_cast<std::size_t>(math)]; }
  bool operator==(const DeviceProfile&) const = default;
};

/// One level of the interconnect, innermost first. `group` devices (cumulative) can talk over it.
struct LinkTier {
  std::string name;
  std::int64_t group = 1;
  BytesPerSecond bandwidth;           // per device and direction, all peers together
  BytesPerSecond peer_bandwidth;      // to one peer (mesh: a single link); = bandwidth on a switch
  Seconds latency;                    // one small message, end to end
  bool in_network_reduction = false;  // all-reduce is done by the switch (NVLS)
  bool operator==(const LinkTier&) const = default;
};

struct Price {
  Usd per_device_hour;  // 0: unknown
  std::string date, basis, source;
  bool operator==(const Price&) const = default;
};

/// A deployed system: device, node, fabric, efficiencies, price.
struct Cluster {
  std::string id;
  DeviceProfile device;
  std::int64_t devices_per_node = 8;
  std::vector<LinkTier> tiers;  // [0] scale-up … outermost
  EfficiencySet efficiency;
  Price price;
  std::string status;                // production, announced …
  std::vector<std::string> sources;  // "key: citation"
  std::vector<std::string> assumed;  // JSON pointers of figures that are assumed or whose vendor
                                     // document was not opened
  // Of a profile that `fathom calibrate` wrote: core/processor.hpp's word for the machine, and what
  // it is. Empty for others.
  std::string fingerprint, measured_on;
  std::filesystem::path path;
  std::string hash;  // of the profile and its efficiency file; empty if parsed
  bool operator==(const Cluster&) const = default;
};

/// NAME|FILE from hwprofiles/, or `local`: this machine as calibrated. A profile measured on
/// another machine is refused unless written as `transferred:FILE`, which turns its evidence to
/// assumed. InputError with file#/pointer for anything out of order (docs/hardware.md lists the
/// checks).
Cluster load_cluster(std::string_view name_or_file);
Cluster parse_cluster(const nlohmann::json& document, std::string_view where);
/// Whether a name is neither `local` nor `transferred:FILE`.
bool is_plain_profile(std::string_view name);
/// Where `fathom calibrate` leaves the profile of this machine: $FATHOM_LOCAL, else
/// fathom/local.json below $XDG_DATA_HOME or ~/.local/share.
std::filesystem::path local_profile_path();
/// Everything resolved, with ridge points; not the input format. The path is left out: results must
/// not depend on where the files lie.
nlohmann::json to_json(const Cluster& cluster);

/// Where the roofline bends: dense peak over memory bandwidth. Zero where the peak is.
FlopsPerByte ridge(const DeviceProfile& device, Math math);

/// Findings of `fathom hardware check`: warnings that do not stop a profile from loading.
std::vector<std::string> check(const Cluster& cluster);

}  // namespace fathom::hw
