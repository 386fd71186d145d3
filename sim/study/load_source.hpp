#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/arch_spec.hpp"

namespace fathom::study {

/// Where the loads of expert-parallel ranks come from when a plan does not give a number. In JSON:
///   {"uniform": true}         a balanced router; what remains is the noise of a finite batch
///   {"power_law": A}          popularities from aiconfigurator's bounded density x^-A; 0: balanced
///   {"zipf": S}               the r-th most popular expert of a layer has a share ~ r^-S
///   {"trace": "FILE"}         measured tokens per layer and expert
/// and with each: "layers" (default: the model's), "seed" (1), "tokens" of one step in the whole
/// expert group (default: the scenario's; a trace has none: its counts are taken as the load),
/// "eplb" (default: whether the plan has redundant experts).
struct LoadSource {
  enum class Kind : std::uint8_t { uniform, power_law, zipf, trace };
  Kind kind = Kind::uniform;
  double exponent = 0.0;
  std::string file;                         // of a trace
  std::vector<std::vector<double>> counts;  // of a trace: [MoE layers][experts]
  std::int64_t layers = 0;                  // 0: the model's
  std::int64_t seed = 1;
  std::optional<double> tokens;
  std::optional<bool> eplb;
  bool operator==(const LoadSource&) const = default;
};

/// InputError for anything misspelt or out of range, for a model without experts, and for a trace
/// that does not have the model's layers and experts.
LoadSource parse_load_source(const nlohmann::json& document, std::string_view where,
                             const model::ArchSpec& arch);
nlohmann::json to_json(const LoadSource& source);
/// "power law 1.2", "trace loads.json" …
std::string describe(const LoadSource& source);

/// The MoE block of every layer that has one, in order.
std::vector<model::MoeSpec> moe_layers(const model::ArchSpec& arch);

}  // namespace fathom::study
