#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/plan_search.hpp"

namespace fathom::study {

/// A cluster after nodes have failed.
struct Outage {
  std::string when;
  std::int64_t prefill_instances = 0;  // left
  std::int64_t decode_instances = 0;
  Sizing delivered;
  std::optional<Binding> missed;
  double serves = 0.0;  // share of the traffic within the targets, at most 1
};

/// What `spare_nodes` failures at once do, as unlucky as can be: every lost node breaks another
/// instance, all of one phase. An instance on several nodes is lost whole with one of them. First
/// before, then after spare nodes have taken the lost ones' place (loading weights takes minutes,
/// which is not modelled); then the cluster is as sized. Empty without spare nodes.
std::vector<Outage> outages_of(const PlanRequest& request, const ClusterPlan& plan);

nlohmann::json to_json(const Outage& outage);

}  // namespace fathom::study
