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
#include "study/load_source.hpp"
#include "study/search_space.hpp"

namespace fathom::study {

/// Steady traffic: every request has the same lengths. Exactly one of rate and concurrency is set.
struct Traffic {
  double input_tokens = 0.0;    // ISL: tokens of a prompt
  double output_tokens = 0.0;   // OSL: tokens generated per request
  double prefix_hit = 0.0;      // share of a prompt whose KV is already cached, 0 to 1
  double requests_per_s = 0.0;  // 0: follows from concurrency
  double concurrency = 0.0;     // requests in the system at any time; 0: the rate is given
  bool operator==(const Traffic&) const = default;
};

/// Tokens of a prompt that need no prefill. At least one is always computed: it gives the answer.
double cached_tokens(const Traffic& traffic);
/// What a decode step finds in the cache, averaged over a request's life: ISL + OSL/2.
double mean_context_tokens(const Traffic& traffic);
/// What the cache must hold when a request ends: ISL + OSL.
double longest_context_tokens(const Traffic& traffic);

/// Mean latencies that a cluster has to keep; absent: any.
struct Targets {
  std::optional<Seconds> ttft;  // time to first token
  std::optional<Seconds> tpot;  // time per output token of a user
  bool operator==(const Targets&) const = default;
};

/// The question: the cluster that serves this traffic within these targets.
struct PlanRequest {
  std::string name;
  model::Model model;
  model::ReadOptions read_options;  // how the model was changed on reading
  std::vector<hw::Cluster> hardware;
  EfficiencyChoice efficiency;  // already in `hardware`
  Traffic traffic;
  Targets targets;
  SearchSpace search;
  model::LowerOptions options;
  double acceptance = 0.0;                       // probability that an MTP draft is accepted
  double expert_load = 1.0;                      // rows of the slowest expert rank / mean
  std::optional<LoadSource> load_source;         // … or where each plan's follows from
  double utilisation = 0.85;                     // highest share of time that instances are busy
  std::map<std::string, double> price_override;  // $ per device and hour, by profile id
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
