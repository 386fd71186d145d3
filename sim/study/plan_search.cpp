#include "study/plan_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <set>
#include <utility>

#include "core/parallel.hpp"
#include "core/si_format.hpp"
#include "study/pareto.hpp"

namespace fathom::study {
namespace {

using mapping::Plan;

// What is left of one plan after the search has looked at it on its own.
struct PlanSummary {
  std::vector<PhasePoint> decode;   // not dominated in TPOT and capacity
  std::vector<PhasePoint> prefill;  // not dominated in wait and capacity
  std::vector<Refusal> refused;
  std::vector<std::string> notes;
  std::size_t decode_points = 0;
  std::size_t prefill_points = 0;
  std::optional<ClusterPlan> aggregated;  // the smallest that meets the targets
};

template <class Wait>
std::vector<PhasePoint> front_of(std::vector<PhasePoint> points, const Wait& wait) {
  std::vector<Objectives> objectives;
  objectives.reserve(points.size());
  for (const PhasePoint& p : points) {
    objectives.push_back(
        {static_cast<double>(mapping::devices(p.plan)), wait(p).value, -p.requests_per_s});
  }
  std::vector<PhasePoint> front;
  for (const std::size_t i : pareto_front(objectives)) front.push_back(points[i]);
  return front;
}

std::vector<PhasePoint> decode_front(std::vector<PhasePoint> points) {
  return front_of(std::move(points), [](const PhasePoint& p) { return p.estimate.latency; });
}

std::vector<PhasePoint> prefill_front(std::vector<PhasePoint> points) {
  return front_of(std::move(points), prefill_wait);
}

// The smallest aggregated cluster of one plan. Memory is asked last: it costs most.
void size_together(const PlanRequest& request, std::size_t hardware, const Plan& plan,
                   PlanSummary& out) {
  if (out.decode.empty() || out.prefill.empty()) return;
  const Demand demand = demand_of(request);
  const infer::StepModel model = step_model(request, request.hardware[hardware], plan);
  for (const PhasePoint& decode : out.decode) {
    for (const PhasePoint& prefill : out.prefill) {
      const auto size = size_aggregated(demand, prefill, decode);
      if (!size) continue;
      ClusterPlan found =
          make_cluster_plan(request, hardware, Serving::aggregated, prefill, decode, *size);
      if (!affordable(request, found)) continue;
      if (out.aggregated && !smaller(found, *out.aggregated)) continue;
      found.decode_memory = shared_memory(request, model, decode, prefill);
      if (!found.decode_memory.fits()) continue;
      found.prefill_memory = found.decode_memory;
      out.aggregated = std::move(found);
    }
  }
}

PlanSummary summarise(const PlanRequest& request, std::size_t hardware, const Plan& plan) {
  PlanPoints points = evaluate_plan(request, request.hardware[hardware], plan);
  PlanSummary out;
  out.refused = std::move(points.refused);
  out.notes = std::move(points.notes);
  out.decode_points = points.decode.size();
  out.prefill_points = points.prefill.size();
  out.decode = decode_front(std::move(points.decode));
  out.prefill = prefill_front(std::move(points.prefill));
  if (request.search.aggregated) size_together(request, hardware, plan, out);
  return out;
}

void keep_smallest(ServingResult& result, std::vector<ClusterPlan> found) {
  result.meeting_targets = found.size();
  std::ranges::stable_sort(found, smaller);
  if (found.size() > ServingResult::kKept) {
    // With a fixed concurrency a faster, larger cluster serves more and may be cheaper per token.
    const auto cheapest = std::ranges::min_element(found, cheaper) - found.begin();
    const auto last = static_cast<std::ptrdiff_t>(ServingResult::kKept) - 1;
    if (cheapest > last)
      std::swap(found[static_cast<std::size_t>(cheapest)], found[static_cast<std::size_t>(last)]);
    found.resize(ServingResult::kKept);
  }
  result.candidates = std::move(found);
}

// All pairs of a prefill and a decode instance that nothing beats in size, speed and capacity; of
// every decode plan the smallest cluster. Dropping beaten instances loses nothing: whatever target
// one of them meets, the one that beats it meets with no more devices.
void size_apart(const PlanRequest& request, std::size_t hardware,
                const std::vector<PhasePoint>& prefills, const std::vector<PhasePoint>& decodes,
                ServingResult& result) {
  const Demand demand = demand_of(request);
  const Seconds transfer = kv_transfer_time(request, request.hardware[hardware]);
  std::vector<ClusterPlan> found;
  for (const PhasePoint& decode : decodes) {
    std::optional<ClusterPlan> best;
    for (const PhasePoint& prefill : prefills) {
      const auto size = size_disaggregated(demand, prefill, decode, transfer);
      if (!size) continue;
      ClusterPlan pair =
          make_cluster_plan(request, hardware, Serving::disaggregated, prefill, decode, *size);
      if (!affordable(request, pair)) continue;
      if (!best || smaller(pair, *best)) best = std::move(pair);
    }
    if (!best) continue;
    const auto same = std::ranges::find_if(found, [&](const ClusterPlan& other) {
      return other.decode.plan == decode.plan && other.decode.draft_tokens == decode.draft_tokens;
    });
    if (same == found.end()) {
      found.push_back(std::move(*best));
    } else if (smaller(*best, *same)) {
      *same = std::move(*best);
    }
  }
  keep_smallest(result, std::move(found));
}

std::vector<PhasePoint> user_front(const std::vector<PhasePoint>& points) {
  std::vector<Objectives> objectives;
  objectives.reserve(points.size());
  for (const PhasePoint& p : points) {
    objectives.push_back({-p.estimate.per_user.value, -p.estimate.per_device.value, 0.0});
  }
  std::vector<PhasePoint> front;
  for (const std::size_t i : pareto_front(objectives)) front.push_back(points[i]);
  return front;
}

std::string plan_text(const PhasePoint& p) { return mapping::describe(p.plan); }

std::string missed(const char* what, Seconds best, const PhasePoint& point, Seconds target) {
  return fmt::format(
      "{} of {} is out of reach: the best is {} ({}); relax the {} target at least to that", what,
      format_seconds(target), format_seconds(best), plan_text(point), what);
}

struct Floors {
  const PhasePoint* prefill = nullptr;  // quickest to the first token
  const PhasePoint* decode = nullptr;   // quickest per token
};

Floors floors_of(const std::vector<PhasePoint>& prefills, const std::vector<PhasePoint>& decodes) {
  Floors f;
  for (const PhasePoint& p : prefills) {
    if (f.prefill == nullptr || prefill_wait(p) < prefill_wait(*f.prefill)) f.prefill = &p;
  }
  for (const PhasePoint& p : decodes) {
    if (f.decode == nullptr || p.estimate.latency < f.decode->estimate.latency) f.decode = &p;
  }
  return f;
}

std::string nothing_fits(const HardwareResult& h, const char* phase) {
  for (const Refusal& r : h.refused) {
    if (r.cause == Refusal::Cause::memory && r.phase == phase) {
      return fmt::format("no plan runs {}; for example {}: {}", phase, mapping::describe(r.plan),
                         r.reason);
    }
  }
  if (h.refused.empty()) return fmt::format("no plan runs {}", phase);
  return fmt::format("no plan runs {}; for example {}: {}", phase,
                     mapping::describe(h.refused.front().plan), h.refused.front().reason);
}

// Percentiles that even these phases miss without any load: only the spread of prompts is left.
std::string missed_percentiles(const PlanRequest& request, Serving serving,
                               const PhasePoint& prefill, const PhasePoint& decode) {
  Demand idle = demand_of(request);
  idle.requests_per_s = 0.0;
  const Sizing best = deliver(idle, {.serving = serving,
                                     .prefill = prefill,
                                     .decode = decode,
                                     .prefill_instances = 1,
                                     .decode_instances = 1});
  std::string out;
  for (std::size_t i = 0; i < best.percentiles.size(); ++i) {
    const LatencyPercentile& p = idle.percentiles[i];
    if (best.percentiles[i].time <= p.time) continue;
    out += fmt::format("{}{} of {} is out of reach: without any queue it is {} ({}); relax it",
                       out.empty() ? "" : "; ", name(p), format_seconds(p.time),
                       format_seconds(best.percentiles[i].time), plan_text(prefill));
  }
  return out;
}

// Why nothing was found and what would help, most basic cause first.
void explain_nothing(const PlanRequest& request, const HardwareResult& h, const Floors& floors,
                     ServingResult& out) {
  if (floors.decode == nullptr || floors.prefill == nullptr) {
    out.unreachable = nothing_fits(h, floors.decode == nullptr ? "decode" : "prefill");
    return;
  }
  const bool apart = out.serving == Serving::disaggregated;
  const Seconds tpot = floors.decode->estimate.latency;
  const Seconds ttft =
      apart
          ? prefill_wait(*floors.prefill) + kv_transfer_time(request, request.hardware[h.hardware])
          : floors.prefill->estimate.latency + floors.decode->estimate.step.cycle;
  out.best_ttft = ttft;
  out.best_tpot = tpot;
  if (request.targets.ttft && ttft > *request.targets.ttft) {
    out.unreachable = missed("TTFT", ttft, *floors.prefill, *request.targets.ttft);
  }
  if (const auto limit = tpot_limit(request.targets); limit && tpot > *limit) {
    out.unreachable +=
        (out.unreachable.empty() ? "" : "; ") + missed("TPOT", tpot, *floors.decode, *limit);
  }
  if (out.unreachable.empty()) {
    out.unreachable = missed_percentiles(request, out.serving, *floors.prefill, *floors.decode);
  }
  if (!out.unreachable.empty()) return;
  out.unreachable = fmt::format(
      "each target can be met alone, but not {}within {}; raise a limit or relax a target",
      apart ? "" : "by one plan for both phases or not ",
      ceilings_text(request, request.hardware[h.hardware]));
}

HardwareResult combine(const PlanRequest& request, std::size_t hardware,
                       std::vector<PlanSummary> summaries) {
  HardwareResult out;
  out.hardware = hardware;
  out.plans = summaries.size();
  std::vector<PhasePoint> prefills;
  std::vector<PhasePoint> decodes;
  std::vector<ClusterPlan> together;
  std::set<std::string> notes;
  for (PlanSummary& s : summaries) {
    out.decode_points += s.decode_points;
    out.prefill_points += s.prefill_points;
    std::ranges::move(s.refused, std::back_inserter(out.refused));
    std::ranges::move(s.prefill, std::back_inserter(prefills));
    std::ranges::move(s.decode, std::back_inserter(decodes));
    notes.insert(s.notes.begin(), s.notes.end());
    if (s.aggregated) together.push_back(std::move(*s.aggregated));
  }
  out.notes.assign(notes.begin(), notes.end());
  out.front = user_front(decodes);
  prefills = prefill_front(std::move(prefills));
  decodes = decode_front(std::move(decodes));
  const Floors floors = floors_of(prefills, decodes);
  const auto add = [&](Serving serving) -> ServingResult& {
    out.serving.push_back({.serving = serving});
    return out.serving.back();
  };
  if (request.search.aggregated) keep_smallest(add(Serving::aggregated), std::move(together));
  if (request.search.disaggregated) {
    size_apart(request, hardware, prefills, decodes, add(Serving::disaggregated));
  }
  for (ServingResult& s : out.serving) {
    if (s.candidates.empty()) explain_nothing(request, out, floors, s);
    for (ClusterPlan& c : s.candidates) explain_limits(request, c);
  }
  return out;
}

template <class Better>
const ClusterPlan* best_cluster(const PlanResult& result, std::optional<Serving> serving,
                                const Better& better) {
  const ClusterPlan* best = nullptr;
  for (const HardwareResult& h : result.hardware) {
    for (const ServingResult& s : h.serving) {
      if (serving && s.serving != *serving) continue;
      for (const ClusterPlan& c : s.candidates) {
        if (best == nullptr || better(c, *best)) best = &c;
      }
    }
  }
  return best;
}

}  // namespace

PlanResult search_plans(const PlanRequest& request, const SearchOptions& options) {
  std::vector<std::vector<Plan>> by_hardware;
  for (const hw::Cluster& cluster : request.hardware) {
    by_hardware.push_back(loaded_plans(request, cluster));
  }
  const std::size_t each = by_hardware.front().size();
  const std::size_t count = each * request.hardware.size();
  std::atomic<std::size_t> done{0};
  auto summaries =
      parallel_map(static_cast<std::int64_t>(count), options.threads, [&](std::int64_t i) {
        const auto n = static_cast<std::size_t>(i);
        PlanSummary s = summarise(request, n / each, by_hardware[n / each][n % each]);
        const auto finished = static_cast<double>(++done);
        if (options.progress) {
          options.progress(finished / static_cast<double>(count));
        }
        return s;
      });
  PlanResult result;
  result.request = request;
  for (std::size_t h = 0; h < request.hardware.size(); ++h) {
    const auto begin = summaries.begin() + static_cast<std::ptrdiff_t>(h * each);
    std::vector<PlanSummary> own(
        std::make_move_iterator(begin),
        std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(each)));
    result.hardware.push_back(combine(request, h, std::move(own)));
  }
  return result;
}

const ClusterPlan* smallest_cluster(const PlanResult& result, std::optional<Serving> serving) {
  return best_cluster(result, serving, smaller);
}

const ClusterPlan* cheapest_cluster(const PlanResult& result, std::optional<Serving> serving) {
  const ClusterPlan* best = best_cluster(result, serving, cheaper);
  return best != nullptr && best->cost ? best : nullptr;
}

}  // namespace fathom::study
