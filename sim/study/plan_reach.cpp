#include "study/plan_reach.hpp"

#include <fmt/format.h>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::study {
namespace {

using lang::say;

std::string plan_text(const PhasePoint& p) { return mapping::describe(p.plan); }

std::string missed(const char* what, Seconds best, const PhasePoint& point, Seconds target) {
  return say("{} of {} is out of reach: the best is {} ({}); relax the {} target at least to that",
             what, format_seconds(target), format_seconds(best), plan_text(point), what);
}

struct Floors {
  const PhasePoint* prefill = nullptr;  // quickest to the first token
  const PhasePoint* decode = nullptr;   // quickest per token
};

Floors floors_of(const PairFronts& fronts) {
  Floors f;
  for (const auto& precision : fronts.prefill) {
    for (const PhasePoint& p : precision) {
      if (f.prefill == nullptr || prefill_wait(p) < prefill_wait(*f.prefill)) f.prefill = &p;
    }
  }
  for (const auto& precision : fronts.decode) {
    for (const PhasePoint& p : precision) {
      if (f.decode == nullptr || p.estimate.latency < f.decode->estimate.latency) f.decode = &p;
    }
  }
  return f;
}

std::string nothing_fits(const HardwareResult& h, const char* phase) {
  for (const Refusal& r : h.refused) {
    if (r.cause == Refusal::Cause::memory && r.phase == phase) {
      return say("no plan runs {}; for example {}: {}", phase, mapping::describe(r.plan), r.reason);
    }
  }
  if (h.refused.empty()) return say("no plan runs {}", phase);
  return say("no plan runs {}; for example {}: {}", phase,
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
    std::string text =
        say("{} of {} is out of reach: without any queue it is {} ({}); relax it", name(p),
            format_seconds(p.time), format_seconds(best.percentiles[i].time), plan_text(prefill));
    out = out.empty() ? std::move(text) : say("{}; {}", out, text);
  }
  return out;
}

}  // namespace

void explain_nothing(const PlanRequest& request, const HardwareResult& h, const PairFronts& fronts,
                     ServingResult& out) {
  const Floors floors = floors_of(fronts);
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
    std::string text = missed("TPOT", tpot, *floors.decode, *limit);
    out.unreachable =
        out.unreachable.empty() ? std::move(text) : say("{}; {}", out.unreachable, text);
  }
  if (out.unreachable.empty()) {
    out.unreachable = missed_percentiles(request, out.serving, *floors.prefill, *floors.decode);
  }
  if (!out.unreachable.empty()) return;
  const std::string ceilings = ceilings_text(request, request.hardware[h.hardware]);
  out.unreachable =
      apart
          ? say("each target can be met alone, but not within {}; raise a limit or relax a target",
                ceilings)
          : say("each target can be met alone, but not by one plan for both phases or not within "
                "{}; raise a limit or relax a target",
                ceilings);
}

}  // namespace fathom::study
