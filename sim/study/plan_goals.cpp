#include "study/plan_goals.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace fathom::study {
namespace {

constexpr double kRounding = 1.0 - 1e-9;  // a bound and a price are added up in different orders

template <class Better>
bool better_than(const ClusterPlan& plan, const std::optional<ClusterPlan>& best,
                 const Better& better) {
  return !best || better(plan, *best);
}

}  // namespace

void Staircases::add(std::int64_t devices, Seconds wait, double requests_per_s) {
  std::vector<Step>& steps = by_size_[devices];
  const auto at = std::ranges::upper_bound(steps, wait.value, {}, &Step::wait);
  if (at != steps.begin() && std::prev(at)->capacity >= requests_per_s) return;
  auto first = at;
  if (first != steps.begin() && std::prev(first)->wait == wait.value) --first;
  auto last = at;
  while (last != steps.end() && last->capacity <= requests_per_s) ++last;
  steps.insert(steps.erase(first, last), {wait.value, requests_per_s});
}

bool Staircases::beat(std::int64_t devices, Seconds wait, double requests_per_s) const {
  for (const auto& [size, steps] : by_size_) {
    if (size > devices) return false;
    const auto at = std::ranges::lower_bound(steps, wait.value, {}, &Step::wait);
    if (at != steps.begin() && std::prev(at)->capacity > requests_per_s) return true;
  }
  return false;
}

bool hopeless(const Reach& best_case, const Reach& goals) {
  const bool dear = std::isinf(best_case.usd) || best_case.usd > goals.usd;
  return dear && best_case.devices > goals.devices && best_case.tpot > goals.tpot;
}

bool faster(const ClusterPlan& a, const ClusterPlan& b) {
  if (a.size.tpot != b.size.tpot) return a.size.tpot < b.size.tpot;
  return smaller(a, b);
}

bool Winners::wants(const ClusterPlan& plan) const {
  return better_than(plan, smallest, smaller) || better_than(plan, fastest, faster) ||
         (plan.cost && better_than(plan, cheapest, cheaper));
}

void Winners::offer(const ClusterPlan& plan) {
  if (better_than(plan, smallest, smaller)) smallest = plan;
  if (better_than(plan, fastest, faster)) fastest = plan;
  if (plan.cost && better_than(plan, cheapest, cheaper)) cheapest = plan;
}

void Winners::offer(const Winners& others) {
  for (const auto* other : {&others.smallest, &others.cheapest, &others.fastest}) {
    if (*other) offer(**other);
  }
}

Reach Winners::goals() const {
  Reach out;
  if (smallest) out.devices = static_cast<double>(smallest->devices);
  if (fastest) out.tpot = fastest->size.tpot.value;
  if (cheapest) out.usd = cheapest->cost->usd_per_million_blended;
  return out;
}

Demand least_demand(const PlanRequest& request) {
  Demand d = demand_of(request);
  if (d.concurrency <= 0.0) return d;
  d.requests_per_s =
      d.concurrency / (d.ttft + d.output_tokens * d.tpot).value;  // 0 without targets
  d.concurrency = 0.0;
  return d;
}

Demand without_queues(Demand d) {
  d.queueing = false;
  d.percentiles.clear();
  d.prompts.clear();
  return d;
}

// A cluster serves the rate asked for, or by Little's law at most what a given concurrency comes to
// when nobody waits; both hold for any number of instances.
Reach best_case(const PlanRequest& request, double devices, const PhasePoint& prefill,
                const PhasePoint& decode, std::optional<double> usd_per_device_hour) {
  const Traffic& t = request.traffic;
  const Seconds tpot = decode.estimate.latency;
  const double rate =
      t.concurrency > 0.0
          ? t.concurrency / (prefill.estimate.latency + t.output_tokens * tpot).value
          : t.requests_per_s;
  const double tokens_per_hour = 3600.0 * rate * (t.input_tokens + t.output_tokens);
  Reach out{.devices = devices, .tpot = kRounding * tpot.value};
  // without a price nothing is the cheapest: the figure never saves a cluster
  if (usd_per_device_hour)
    out.usd = kRounding * devices * *usd_per_device_hour * 1e6 / tokens_per_hour;
  return out;
}

}  // namespace fathom::study
