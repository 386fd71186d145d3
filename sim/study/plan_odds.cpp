#include "study/plan_odds.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "study/kernel_error.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSeed = 1;

// The machines of both phases; the same one twice for most clusters.
struct Sides {
  hw::Cluster prefill;
  hw::Cluster decode;
};

Seconds transfer(const PlanRequest& request, const Sides& on) {
  return std::max(kv_transfer_time(request, on.prefill), kv_transfer_time(request, on.decode));
}

Sizing delivered_on(const PlanRequest& request, const ClusterPlan& plan, const Sides& on) {
  const auto prefill = prefill_again(request, on.prefill, plan.prefill);
  const auto decode = decode_again(request, on.decode, plan.decode);
  FATHOM_EXPECT(prefill && decode, "kernel times do not change what fits in memory");
  const bool apart = plan.serving == Serving::disaggregated;
  return deliver(demand_of(request), {.serving = plan.serving,
                                      .prefill = *prefill,
                                      .decode = *decode,
                                      .kv_transfer = apart ? transfer(request, on) : Seconds{},
                                      .prefill_instances = plan.size.prefill_instances,
                                      .decode_instances = plan.size.decode_instances});
}

struct Target {
  std::string what;
  Seconds limit;
  std::size_t percentile;  // index; or one of the means:
};
constexpr std::size_t kMeanTtft = 1000;
constexpr std::size_t kMeanTpot = 1001;

std::vector<Target> targets_of(const Targets& t) {
  std::vector<Target> out;
  if (t.ttft) out.push_back({"TTFT", *t.ttft, kMeanTtft});
  if (const auto tpot = tpot_limit(t)) out.push_back({"TPOT", *tpot, kMeanTpot});
  for (std::size_t i = 0; i < t.percentiles.size(); ++i) {
    out.push_back({name(t.percentiles[i]), t.percentiles[i].time, i});
  }
  return out;
}

Seconds latency(const Sizing& s, const Target& target) {
  if (target.percentile == kMeanTtft) return s.ttft;
  if (target.percentile == kMeanTpot) return s.tpot;
  return s.percentiles.at(target.percentile).time;
}

// Standard deviation of the logarithms of what is finite.
double log_sigma(const std::vector<double>& sorted) {
  double sum = 0.0;
  double squares = 0.0;
  double n = 0.0;
  for (const double x : sorted) {
    if (!std::isfinite(x)) continue;
    sum += std::log(x);
    squares += std::log(x) * std::log(x);
    n += 1.0;
  }
  return n > 0.0 ? std::sqrt(std::max(0.0, squares / n - sum * sum / (n * n))) : 0.0;
}

void fill(LatencyOdds& odds, std::vector<double> sample) {
  std::ranges::sort(sample);
  const auto count = static_cast<double>(sample.size());
  const auto at = [&](double q) {
    return Seconds{sample[static_cast<std::size_t>(q * (count - 1.0) + 0.5)]};
  };
  odds.p10 = at(0.1);
  odds.p90 = at(0.9);
  odds.log_sigma = log_sigma(sample);
  const auto within = std::ranges::upper_bound(sample, odds.target.value) - sample.begin();
  odds.probability = static_cast<double>(within) / count;
}

json seconds_json(Seconds t) { return std::isfinite(t.value) ? json(t.value) : json(nullptr); }

}  // namespace

PlanRequest in_precision_of(const PlanRequest& request, const PhasePoint& point) {
  PlanRequest out = request;
  out.options.precision = precisions(request)[point.precision].precision;
  return out;
}

std::optional<PhasePoint> decode_again(const PlanRequest& request, const hw::Cluster& cluster,
                                       const PhasePoint& point) {
  infer::StepModel model = step_model(request, cluster, point.plan);
  const auto outcome = infer::decode(model, decode_query(request, point.batch, point.draft_tokens));
  const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
  if (estimate == nullptr) return std::nullopt;
  PhasePoint out = point;
  out.estimate = *estimate;
  out.requests_per_s = estimate->per_device.value * static_cast<double>(estimate->devices) /
                       request.traffic.output_tokens;
  return out;
}

std::optional<PhasePoint> prefill_again(const PlanRequest& request, const hw::Cluster& cluster,
                                        const PhasePoint& point) {
  infer::StepModel model = step_model(request, cluster, point.plan);
  const auto outcome =
      infer::prefill(model, prefill_query(request, point.batch, point.chunk_tokens));
  const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
  if (estimate == nullptr) return std::nullopt;
  PhasePoint out = point;
  out.estimate = *estimate;
  const double fresh = request.traffic.input_tokens - cached_tokens(request.traffic);
  out.requests_per_s = estimate->per_device.value * static_cast<double>(estimate->devices) / fresh;
  return out;
}

PlanOdds odds_of(const PlanRequest& request, const ClusterPlan& plan, int count) {
  PlanOdds odds;
  odds.draws = count;
  const std::vector<Target> targets = targets_of(request.targets);
  if (targets.empty()) return odds;
  const auto& machines = request.as_calibrated.empty() ? request.hardware : request.as_calibrated;
  const PlanRequest of_precision = in_precision_of(request, plan.decode);
  const Sides calibrated{machines[plan.prefill_hardware], machines[plan.hardware]};
  const Sizing exact = delivered_on(of_precision, plan, calibrated);
  std::vector<std::vector<double>> samples(targets.size());
  int all = 0;
  for (const Draw& draw : draws(count, kSeed)) {
    Sides drawn = calibrated;
    vary(drawn.prefill, draw);
    vary(drawn.decode, draw);
    const Sizing s = delivered_on(of_precision, plan, drawn);
    bool every = true;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      samples[i].push_back(latency(s, targets[i]).value);
      every = every && latency(s, targets[i]) <= targets[i].limit;
    }
    all += every ? 1 : 0;
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    odds.targets.push_back({.what = targets[i].what,
                            .estimate = latency(exact, targets[i]),
                            .target = targets[i].limit});
    fill(odds.targets.back(), std::move(samples[i]));
    odds.independent *= odds.targets.back().probability;
  }
  odds.all = static_cast<double>(all) / static_cast<double>(count);
  return odds;
}

json to_json(const PlanOdds& odds) {
  json targets = json::array();
  for (const LatencyOdds& t : odds.targets) {
    targets.push_back({{"latency", t.what},
                       {"estimate_s", seconds_json(t.estimate)},
                       {"target_s", t.target.value},
                       {"p10_s", seconds_json(t.p10)},
                       {"p90_s", seconds_json(t.p90)},
                       {"log_sigma", t.log_sigma},
                       {"probability", t.probability}});
  }
  return {{"targets", std::move(targets)},
          {"probability_of_all", odds.all},
          {"probability_if_independent", odds.independent},
          {"draws", odds.draws}};
}

}  // namespace fathom::study
