#pragma once
// Tables and plots of the capacity page. Private to the builders: capacity.hpp declares the page.

#include <string>
#include <string_view>
#include <vector>

#include "report/document.hpp"
#include "study/plan_search.hpp"

namespace fathom::report {

/// A cluster of the result with the words a table calls it by.
struct NamedPlan {
  std::string hardware;
  std::string prefill_hardware;
  std::string decode_hardware;
  std::string precision;  // empty when no variants were asked for
  const study::ClusterPlan* plan = nullptr;
  bool smallest = false;  // of all
  bool cheapest = false;
  bool fastest = false;
};
/// The best cluster of every machine and kind of serving, in the order of the request; of pairs of
/// machines the winners.
std::vector<NamedPlan> best_plans(const study::PlanResult& result);

/// The fullest rank of each kind: aggregated instances have one kind, others two.
struct Rank {
  std::string name;
  std::string hardware;
  const mapping::MemoryFootprint* memory;
};
std::vector<Rank> ranks(const std::vector<NamedPlan>& plans);

/// "EP16 DP16 +1 drafts".
std::string decode_plan_text(const study::PhasePoint& point);
/// "2 × 16 (EP16 DP16)".
std::string instances_text(std::int64_t instances, const study::PhasePoint& point);

Table shape_table(const std::vector<NamedPlan>& plans);
Table delivery_table(const std::vector<NamedPlan>& plans);
Table load_table(const std::vector<NamedPlan>& plans);
Table cost_table(const std::vector<NamedPlan>& plans);
Table limits_table(const std::vector<NamedPlan>& plans);
Table time_table(const std::vector<NamedPlan>& plans);
Table evidence_table(const std::vector<NamedPlan>& plans);
Table memory_table(const std::vector<NamedPlan>& plans);
/// For every machine and kind of serving without a cluster: the best it reaches, and why not more.
Table unreachable_table(const study::PlanResult& result);
Table candidates_table(const study::PlanResult& result);
/// Plans that cannot run, counted by phase and cause, with one example each.
Table refusals_table(const study::PlanResult& result);

/// Decode: tokens/s/device against tokens/s/user, one series per machine.
Plot front_plot(const study::PlanResult& result);
Plot memory_plot(const std::vector<NamedPlan>& plans);

}  // namespace fathom::report
