#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hw/cluster.hpp"
#include "infer/serving_point.hpp"
#include "mapping/plan.hpp"
#include "model/hf_config.hpp"
#include "model/lower.hpp"
#include "study/efficiency_choice.hpp"
#include "study/hardware_change.hpp"
#include "study/sampled_load.hpp"
#include "study/workload.hpp"

namespace fathom::study {

class Library;

/// One question: this model, cut this way, on this machine, doing this. Parsed from JSON with every
/// field checked; names are resolved to values so that nothing after this stage reads a file.
struct Scenario {
  std::string name;
  model::ReadOptions read;  // how the model's file was changed on reading
  model::Model model;
  hw::Cluster cluster;
  EfficiencyChoice efficiency;  // already in `cluster`
  HardwareChange change;        // as well
  mapping::Plan plan;
  std::optional<SampledLoad> load;  // where plan.expert_load comes from when no number was given
  model::LowerOptions options;
  infer::HostCosts host;
  Workload workload;
  std::vector<std::string> notes;  // assumptions made while resolving: shown in every output
};

/// `where` names the document in complaints ("scenario.json#"). InputError for anything misspelt,
/// missing, out of range, contradictory, or beyond the model's context limit.
Scenario parse_scenario(const nlohmann::json& document, std::string_view where);
/// The same with files read through a library: for many scenarios of few models and machines.
Scenario parse_scenario(const nlohmann::json& document, std::string_view where, Library& library);
Scenario load_scenario(std::string_view file);

/// A scenario whose workload is not looked at: any workload of its phase may be put in. Nothing
/// when the plan's expert load follows from the workload, so that each needs parse_scenario().
std::optional<Scenario> parse_setting(const nlohmann::json& document, std::string_view where,
                                      Library& library);
/// The "phase" of a scenario.
model::Phase read_phase(JsonReader& in);
inline model::Phase phase_of(const Scenario& scenario) {
  return std::holds_alternative<infer::DecodeQuery>(scenario.workload) ? model::Phase::decode
                                                                       : model::Phase::prefill;
}

/// Tokens that reach the experts of one layer at a time, over the whole expert group.
double expert_tokens(const Scenario& scenario);

/// The parts that other documents (plan requests) share with a scenario.
mapping::Plan parse_plan(const nlohmann::json& document, std::string_view where);
model::Precision parse_precision(const nlohmann::json& document, std::string_view where,
                                 const model::Precision& defaults);

/// The scenario with every default spelled out; parse_scenario() of it gives the same scenario.
nlohmann::json to_json(const Scenario& scenario);

}  // namespace fathom::study
