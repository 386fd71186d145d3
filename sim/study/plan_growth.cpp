#include "study/plan_growth.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "study/plan_pairs.hpp"

namespace fathom::study {
namespace {

// The candidate's points with the instances that the request's traffic needs.
std::optional<ClusterPlan> resized(const PlanRequest& request, const ClusterPlan& candidate) {
  const Demand demand = demand_of(request);
  const auto size = candidate.serving == Serving::aggregated
                        ? size_aggregated(demand, candidate.prefill, candidate.decode)
                        : size_disaggregated(demand, candidate.prefill, candidate.decode,
                                             candidate.size.kv_transfer);
  if (!size) return std::nullopt;
  const Machines machines{candidate.prefill_hardware, candidate.hardware};
  ClusterPlan out =
      candidate.serving == Serving::aggregated
          ? make_cluster_plan(request, candidate.hardware, candidate.serving, candidate.prefill,
                              candidate.decode, *size)
          : make_pair_plan(request, machines, candidate.prefill, candidate.decode, *size);
  out.prefill_memory = candidate.prefill_memory;
  out.decode_memory = candidate.decode_memory;
  return out;
}

std::optional<ClusterPlan> smallest_resized(const PlanRequest& request, const PlanResult& result) {
  std::optional<ClusterPlan> best;
  const auto consider = [&](const ServingResult& s) {
    for (const ClusterPlan& c : s.candidates) {
      auto now = resized(request, c);
      if (now && (!best || smaller(*now, *best))) best = std::move(now);
    }
  };
  for (const HardwareResult& h : result.hardware) {
    for (const ServingResult& s : h.serving) consider(s);
  }
  for (const PairResult& p : result.pairs) consider(p.serving);
  return best;
}

}  // namespace

std::vector<GrowthRow> growth_rows(const PlanResult& result) {
  std::vector<GrowthRow> rows;
  if (!result.request.growth) return rows;
  PlanRequest request = result.request;
  const Growth& growth = *result.request.growth;
  const Traffic& now = result.request.traffic;
  for (std::int64_t period = 0; period <= growth.periods; ++period) {
    GrowthRow row{.period = period, .load = std::pow(growth.factor, static_cast<double>(period))};
    request.traffic.requests_per_s = now.requests_per_s * row.load;
    request.traffic.concurrency = now.concurrency * row.load;
    row.demand =
        now.concurrency > 0.0 ? request.traffic.concurrency : request.traffic.requests_per_s;
    auto plan = smallest_resized(request, result);
    if (!plan) break;
    row.plan = *std::move(plan);
    row.exceeds = exceeded(request, row.plan);
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::json to_json(const GrowthRow& row) {
  nlohmann::json out{
      {"period", row.period},
      {"load", row.load},
      {"demand", row.demand},
      {"serving", name(row.plan.serving)},
      {"devices", row.plan.devices},
      {"nodes", row.plan.nodes},
      {"usd_per_hour", nullptr},
      {"usd_per_million_blended_tokens", nullptr},
      {"exceeds", row.exceeds.empty() ? nlohmann::json(nullptr) : nlohmann::json(row.exceeds)}};
  if (row.plan.cost) {
    out["usd_per_hour"] = row.plan.cost->usd_per_hour;
    out["usd_per_million_blended_tokens"] = row.plan.cost->usd_per_million_blended;
  }
  return out;
}

}  // namespace fathom::study
