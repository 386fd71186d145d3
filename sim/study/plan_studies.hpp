#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "study/plan_growth.hpp"
#include "study/plan_odds.hpp"
#include "study/plan_outage.hpp"
#include "study/sensitivity.hpp"

namespace fathom::study {

/// What is asked about an answer beyond the answer. All about its smallest cluster.
struct PlanStudies {
  std::vector<GrowthRow> growth;  // the request has growth
  std::vector<Outage> outages;    // ... spare nodes
  std::optional<PlanOdds> odds;   // ... a confidence, or StudyOptions::odds
  std::optional<Sensitivity> sensitivity;
};

struct StudyOptions {
  bool odds = false;
  std::optional<SensitivityOptions> sensitivity;
};

PlanStudies studies_of(const PlanResult& result, const StudyOptions& options);

/// to_json(result) with a key for each study that was asked for.
nlohmann::json to_json(const PlanResult& result, const PlanStudies& studies);

}  // namespace fathom::study
