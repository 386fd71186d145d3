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
#include "study/search_space.hpp"
#include "study/targets.hpp"
#include "study/traffic.hpp"

namespace fathom::study {

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

/// The number formats that are tried: the search's variants, or the request's own without a name.
std::vector<NamedPrecision> precisions(const PlanRequest& request);

/// $ per device and hour: the override, else the profile's; nothing when unknown.
std::optional<double> device_price(const PlanRequest& request, const hw::Cluster& cluster);

}  // namespace fathom::study
