#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "model/hf_config.hpp"
#include "model/lower.hpp"
#include "study/efficiency_choice.hpp"
#include "study/growth.hpp"
#include "study/load_source.hpp"
#include "study/targets.hpp"
#include "study/traffic.hpp"

namespace fathom::study {

/// What is tried. An empty list means: what makes sense for the model and the machine.
struct SearchSpace {
  std::vector<std::int64_t> tp;               // automatic: 1, 2, 4, 8, 16
  std::vector<std::int64_t> pp;               // automatic: 1, 2
  std::vector<std::int64_t> dp;               // automatic: powers of two; 1 without experts
  std::vector<std::int64_t> ep;               // automatic: divisors of tp*dp; 1 without experts
  std::vector<std::int64_t> draft_tokens{0};  // MTP drafts per decode step
  std::vector<std::int64_t> chunk_tokens{0};  // longest piece of a prompt per step; 0: whole
  bool without_overlap = true;                // two_batch_overlap contains false
  bool with_overlap = true;                   // … contains true
  bool aggregated = true;                     // serving contains "aggregated"
  bool disaggregated = true;                  // … contains "disaggregated"
  std::int64_t max_instance_devices = 256;    // one copy of the model
  std::int64_t max_devices = 16384;           // the whole cluster
  bool operator==(const SearchSpace&) const = default;
};

/// The question: the cluster that serves this traffic within these targets.
struct PlanRequest {
  std::string name;
  model::Model model;
  model::ReadOptions read_options;         // how the model was changed on reading
  std::vector<hw::Cluster> hardware;       // at Targets::confidence: with kernels that slow
  std::vector<hw::Cluster> as_calibrated;  // then: as they are; else empty
  EfficiencyChoice efficiency;             // already in `hardware`
  Traffic traffic;
  Targets targets;
  SearchSpace search;
  model::LowerOptions options;
  double acceptance = 0.0;                       // probability that an MTP draft is accepted
  double expert_load = 1.0;                      // rows of the slowest expert rank / mean
  std::optional<LoadSource> load_source;         // … or where each plan's follows from
  double utilisation = 0.85;                     // highest share of time that instances are busy
  std::map<std::string, double> price_override;  // $ per device and hour, by profile id
  std::optional<Growth> growth;
  std::int64_t spare_nodes = 0;  // beyond what the traffic needs, for as many to fail
};

/// InputError with `where`/pointer for anything misspelt, missing, out of range or contradictory.
PlanRequest parse_plan_request(const nlohmann::json& document, std::string_view where);
PlanRequest load_plan_request(std::string_view file);

/// With every default spelled out; parsing it gives the same request.
nlohmann::json to_json(const PlanRequest& request);

/// $ per device and hour: the override, else the profile's; nothing when unknown.
std::optional<double> device_price(const PlanRequest& request, const hw::Cluster& cluster);

}  // namespace fathom::study
