#include "study/plan_studies.hpp"

#include <nlohmann/json.hpp>

namespace fathom::study {

PlanStudies studies_of(const PlanResult& result, const StudyOptions& options) {
  PlanStudies out;
  const ClusterPlan* best = smallest_cluster(result);
  if (best == nullptr) return out;
  out.growth = growth_rows(result);
  out.outages = outages_of(result.request, *best);
  if (options.odds || result.request.targets.confidence) out.odds = odds_of(result.request, *best);
  if (options.sensitivity) out.sensitivity = sensitivity_of(result, *options.sensitivity);
  return out;
}

nlohmann::json to_json(const PlanResult& result, const PlanStudies& studies) {
  nlohmann::json out = to_json(result);
  for (const GrowthRow& row : studies.growth) out["growth"].push_back(to_json(row));
  for (const Outage& outage : studies.outages) out["outages"].push_back(to_json(outage));
  if (studies.odds) out["odds"] = to_json(*studies.odds);
  if (studies.sensitivity) out["sensitivity"] = to_json(*studies.sensitivity);
  return out;
}

}  // namespace fathom::study
