#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "hw/cluster.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// Which efficiencies a question is answered with.
struct EfficiencyChoice {
  std::string file;  // NAME|FILE instead of the hardware's own (another stack, a calibration)
  hw::FidelityLimit fidelity = hw::FidelityLimit::automatic;
  bool operator==(const EfficiencyChoice&) const = default;
};

/// Reads `efficiency` and `fidelity` and puts them into the clusters. InputError for a file beside
/// several clusters.
EfficiencyChoice read_efficiency_choice(JsonReader& in, std::span<hw::Cluster> clusters);
/// Adds what is not the default.
void add_efficiency_choice(const EfficiencyChoice& choice, nlohmann::json& out);

}  // namespace fathom::study
