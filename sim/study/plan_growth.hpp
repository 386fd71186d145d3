#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "study/plan_search.hpp"

namespace fathom::study {

/// The cluster of one period of growing traffic.
struct GrowthRow {
  std::int64_t period = 0;  // 0: now
  double load = 1.0;        // traffic over that of now
  double demand = 0.0;      // mean requests/s, or concurrent requests
  ClusterPlan plan;         // limits not explained
  std::string exceeds;      // the first limit it breaks: "max_devices = 64"; empty: none
};

/// Every period takes the smallest of the result's candidates with as many instances as it then
/// needs: layouts and batches stay what the search found for now. Empty without growth in the
/// request or without candidates.
std::vector<GrowthRow> growth_rows(const PlanResult& result);

nlohmann::json to_json(const GrowthRow& row);

}  // namespace fathom::study
