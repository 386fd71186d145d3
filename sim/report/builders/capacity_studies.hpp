#pragma once
// Sections of the capacity page that a request asks for. Private to the builders.

#include <string>
#include <vector>

#include "report/builders/capacity_tables.hpp"
#include "study/plan_studies.hpp"

namespace fathom::report {

/// "TTFT p99 below 2.00 s and …" behind the mean latencies; the rest of the targets too.
std::string targets_text(const study::Targets& targets);
/// What the lengths and arrivals are, for a note; empty for plain means.
std::string traffic_text(const study::Traffic& traffic);

/// Waits and percentiles of the clusters; only with queueing.
Table queue_table(const study::PlanRequest& request, const std::vector<NamedPlan>& plans);

/// Odds, growth, outages and sensitivity, those that there are.
void add_studies(std::vector<Block>& blocks, const study::PlanResult& result,
                 const study::PlanStudies& studies, int level);

}  // namespace fathom::report
