#include "study/efficiency_choice.hpp"

#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"

namespace fathom::study {

EfficiencyChoice read_efficiency_choice(JsonReader& in, std::span<hw::Cluster> clusters) {
  EfficiencyChoice out;
  if (in.has("efficiency")) {
    if (clusters.size() != 1)
      in.fail("efficiency", "is of one machine; expected one profile under \"hardware\"");
    out.file = in.string("efficiency");
    clusters.front().efficiency = hw::load_efficiency(in, "efficiency");
  }
  out.fidelity = static_cast<hw::FidelityLimit>(in.choice_or("fidelity", hw::kFidelityLimits, 0));
  for (hw::Cluster& cluster : clusters) hw::limit(cluster.efficiency.forms, out.fidelity);
  return out;
}

void add_efficiency_choice(const EfficiencyChoice& choice, nlohmann::json& out) {
  if (!choice.file.empty()) out["efficiency"] = choice.file;
  if (choice.fidelity != hw::FidelityLimit::automatic)
    out["fidelity"] = hw::kFidelityLimits[static_cast<std::size_t>(choice.fidelity)];
}

}  // namespace fathom::study
