#pragma once

#include <string>
#include <vector>

#include "report/document.hpp"
#include "study/plan_studies.hpp"

namespace fathom::report {

/// The smallest and the cheapest cluster for a traffic, what they deliver and cost, what binds
/// them, the front of speed against throughput, memory, assumptions and sources. When nothing meets
/// the targets: what is reachable and which target to relax.
Document capacity_document(const study::PlanResult& result, const study::PlanStudies& studies = {});

/// The same without title, for a larger report: every heading one level deeper when `level` is 3.
std::vector<Block> capacity_blocks(const study::PlanResult& result, int level = 2,
                                   const study::PlanStudies& studies = {});

/// The answer in one sentence, computed from the result.
std::string capacity_finding(const study::PlanResult& result);

}  // namespace fathom::report
