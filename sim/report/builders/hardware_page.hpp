#pragma once

#include <span>
#include <string>
#include <vector>

#include "hw/cluster.hpp"
#include "report/document.hpp"

namespace fathom::report {

/// One system: every figure with its unit, ridge points, interconnect, efficiencies with their
/// evidence, what is assumed, sources.
Document hardware_page(const hw::Cluster& cluster);

/// One row per system, in the given order.
Document hardware_list(std::span<const hw::Cluster> clusters);

/// What `fathom hardware check` found in one profile. `error` is set when it does not load.
struct HardwareFindings {
  std::string name;
  std::string error;
  std::vector<std::string> warnings;
};
Document hardware_findings(std::span<const HardwareFindings> profiles);

}  // namespace fathom::report
