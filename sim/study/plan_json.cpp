#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "study/plan_search.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr const char* kCauses[] = {"indivisible", "machine", "memory"};

json sizing_json(const Sizing& s) {
  json out{{"prefill_instances", s.prefill_instances},
           {"decode_instances", s.decode_instances},
           {"requests_per_s", s.requests_per_s},
           {"requests_per_s_supported", s.requests_per_s_supported},
           {"prefill_utilisation", s.prefill_utilisation},
           {"decode_utilisation", s.decode_utilisation},
           {"kv_transfer_s", s.kv_transfer.value},
           {"ttft_s", s.ttft.value},
           {"tpot_s", s.tpot.value}};
  if (s.wait.probability <= 0.0) return out;
  out["wait"] = {{"probability", s.wait.probability}, {"mean_s", s.wait.mean.value}};
  json& percentiles = out["percentiles"] = json::object();
  for (const LatencyPercentile& p : s.percentiles) percentiles[key(p) + "_s"] = p.time.value;
  return out;
}

json cost_json(const std::optional<Cost>& cost) {
  if (!cost) return nullptr;
  return {{"usd_per_hour", cost->usd_per_hour},
          {"input_share", cost->input_share},
          {"usd_per_million_input_tokens", cost->usd_per_million_input},
          {"usd_per_million_output_tokens", cost->usd_per_million_output},
          {"usd_per_million_blended_tokens", cost->usd_per_million_blended}};
}

json limit_json(const Limit& limit) {
  return {{"kind", name(limit.kind)}, {"largest_batch", limit.batch}, {"detail", limit.text}};
}

// With the words that indices into the request stand for.
json cluster_json(const PlanRequest& request, const ClusterPlan& plan) {
  json out = to_json(plan);
  out["hardware"] = request.hardware[plan.hardware].id;
  if (plan.prefill_hardware != plan.hardware)
    out["prefill_hardware"] = request.hardware[plan.prefill_hardware].id;
  const std::string precision = precisions(request)[plan.decode.precision].name;
  if (!precision.empty()) out["precision"] = precision;
  return out;
}

json winner_json(const PlanResult& result, const ClusterPlan* plan) {
  return plan == nullptr ? json(nullptr) : cluster_json(result.request, *plan);
}

json winners_json(const PlanResult& result, std::optional<Serving> serving) {
  return {{"smallest", winner_json(result, smallest_cluster(result, serving))},
          {"cheapest", winner_json(result, cheapest_cluster(result, serving))},
          {"fastest", winner_json(result, fastest_cluster(result, serving))}};
}

json counts_json(const SearchCounts& c, std::size_t refused) {
  return {{"plans", c.plans},
          {"decode_points", c.decode_points},
          {"prefill_points", c.prefill_points},
          {"evaluated", c.evaluated},
          {"pruned", c.pruned},
          {"refused", refused}};
}

json refusal_json(const PlanRequest& request, const Refusal& r) {
  json out{{"plan", mapping::to_json(r.plan)},
           {"phase", r.phase},
           {"cause", kCauses[static_cast<std::size_t>(r.cause)]},
           {"reason", r.reason}};
  const std::string precision = precisions(request)[r.precision].name;
  if (!precision.empty()) out["precision"] = precision;
  return out;
}

json serving_json(const PlanRequest& request, const ServingResult& s) {
  json candidates = json::array();
  for (const ClusterPlan& c : s.candidates) candidates.push_back(cluster_json(request, c));
  json out{{"serving", name(s.serving)},
           {"plans_meeting_targets", s.meeting_targets},
           {"candidates", std::move(candidates)}};
  if (s.cheapest) out["cheapest"] = *s.cheapest;
  if (s.fastest) out["fastest"] = *s.fastest;
  if (!s.unreachable.empty()) out["unreachable"] = s.unreachable;
  if (s.best_ttft) out["best_ttft_s"] = s.best_ttft->value;
  if (s.best_tpot) out["best_tpot_s"] = s.best_tpot->value;
  return out;
}

json price_source(const PlanRequest& request, const hw::Cluster& cluster) {
  if (!device_price(request, cluster)) return nullptr;
  if (request.price_override.contains(cluster.id)) return "given";
  return fmt::format("{} ({}, {})", cluster.price.source, cluster.price.basis, cluster.price.date);
}

json hardware_json(const PlanResult& result, const HardwareResult& h) {
  json front = json::array();
  const std::vector<NamedPrecision> formats = precisions(result.request);
  for (const PhasePoint& p : h.front) {
    front.push_back(to_json(p));
    if (!formats[p.precision].name.empty()) front.back()["precision"] = formats[p.precision].name;
  }
  json refused = json::array();
  for (const Refusal& r : h.refused) refused.push_back(refusal_json(result.request, r));
  json serving = json::array();
  for (const ServingResult& s : h.serving) serving.push_back(serving_json(result.request, s));
  const hw::Cluster& cluster = result.request.hardware[h.hardware];
  const auto price = device_price(result.request, cluster);
  return {{"hardware", cluster.id},
          {"usd_per_device_hour", price ? json(*price) : json(nullptr)},
          {"price_source", price_source(result.request, cluster)},
          {"tried", counts_json(h.counts, h.refused.size())},
          {"serving", std::move(serving)},
          {"decode_pareto_front", std::move(front)},
          {"infeasible", std::move(refused)},
          {"notes", h.notes}};
}

}  // namespace

json to_json(const PhasePoint& p) {
  return {{"plan", mapping::to_json(p.plan)},         {"draft_tokens", p.draft_tokens},
          {"chunk_tokens", p.chunk_tokens},           {"batch", p.batch},
          {"requests_per_s_alone", p.requests_per_s}, {"estimate", infer::to_json(p.estimate)}};
}

json to_json(const ClusterPlan& p) {
  return {{"serving", name(p.serving)},
          {"devices", p.devices},
          {"nodes", p.nodes},
          {"prefill", to_json(p.prefill)},
          {"decode", to_json(p.decode)},
          {"size", sizing_json(p.size)},
          {"prefill_memory", mapping::to_json(p.prefill_memory)},
          {"decode_memory", mapping::to_json(p.decode_memory)},
          {"tokens_per_s_per_user", p.tokens_per_s_per_user},
          {"output_tokens_per_s_per_device", p.output_tokens_per_s_per_device},
          {"total_tokens_per_s_per_device", p.total_tokens_per_s_per_device},
          {"target_use", p.target_use},
          {"power_kw", p.power_kw ? json(*p.power_kw) : json(nullptr)},
          {"spare_nodes", p.spare_nodes},
          {"cost", cost_json(p.cost)},
          {"limits",
           {{"prefill", limit_json(p.prefill_limit)},
            {"decode", limit_json(p.decode_limit)},
            {"instances", p.granularity}}}};
}

json to_json(const PlanResult& result) {
  json hardware = json::array();
  for (const HardwareResult& h : result.hardware) hardware.push_back(hardware_json(result, h));
  json pairs = json::array();
  std::size_t refused = 0;
  for (const HardwareResult& h : result.hardware) refused += h.refused.size();
  for (const PairResult& p : result.pairs) {
    json pair = serving_json(result.request, p.serving);
    pair["prefill_hardware"] = result.request.hardware[p.prefill_hardware].id;
    pair["hardware"] = result.request.hardware[p.decode_hardware].id;
    pairs.push_back(std::move(pair));
  }
  return {{"request", to_json(result.request)},
          {"tried", counts_json(total_counts(result), refused)},
          {"winners",
           {{"any", winners_json(result, {})},
            {"aggregated", winners_json(result, Serving::aggregated)},
            {"disaggregated", winners_json(result, Serving::disaggregated)}}},
          {"hardware", std::move(hardware)},
          {"pairs", std::move(pairs)}};
}

}  // namespace fathom::study
