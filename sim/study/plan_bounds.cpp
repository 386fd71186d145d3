#include "study/plan_bounds.hpp"

#include <algorithm>
#include <cmath>

namespace fathom::study {

Seconds BoundTable::least(const mapping::Plan& plan, const model::StepShape& step,
                          std::int64_t pieces) {
  mapping::local_step(step, plan, pieces, local_);
  const double share = infer::sm_share(plan, step.phase, model_.cluster);
  const model::SequenceGroup& g = local_.groups.front();
  const Key key{
      step.phase == model::Phase::decode ? 1.0 : 0.0, g.count, g.new_tokens, g.context_tokens,
      static_cast<double>(step.draft_tokens),         share};
  Entry& entry = known_[key];
  if (!entry.own) entry.own = infer::own_work(model_, {.local = local_, .sm_share = share});
  // Stages and micro-batches make other shapes of a batch, and not seldom one that is known.
  const ExpertKey experts{static_cast<double>(plan.dp), static_cast<double>(plan.ep),
                          static_cast<double>(plan.redundant_experts), plan.expert_load,
                          static_cast<double>(plan.all_to_all)};
  const auto [at, fresh] = entry.with_experts.try_emplace(experts);
  if (fresh) {
    model_.plan = plan;
    at->second = infer::with_experts(*entry.own, model_, share);
  }
  return infer::least_latency(at->second, plan.two_batch_overlap ? 2 : 1);
}

// A decode step is over when all its pieces went through all stages: no cycle is shorter than the
// way of one piece. Every other figure of the point follows from the cycle, in the direction that
// keeps the bound.
Optimum BoundTable::decode(const mapping::Plan& plan, const Candidate& c) {
  const auto drafts = static_cast<double>(c.draft_tokens);
  const double sequences = c.batch * static_cast<double>(plan.dp);
  step_.phase = model::Phase::decode;
  step_.draft_tokens = c.draft_tokens;
  step_.groups.assign(1, {sequences, 1.0 + drafts, mean_context_tokens(request_.traffic)});
  const Seconds cycle = least(plan, step_, plan.pp * (plan.two_batch_overlap ? 2 : 1));
  const double accepted =
      infer::expected_accepted(c.draft_tokens, c.draft_tokens > 0 ? request_.acceptance : 0.0);
  return {.latency = cycle / accepted,
          .cycle = cycle,
          .requests_per_s = sequences * accepted / (cycle.value * request_.traffic.output_tokens)};
}

// Chunks follow each other at the pace of the slowest stage, which takes at least the mean of all;
// the last one pays the whole way.
Optimum BoundTable::prefill(const mapping::Plan& plan, const Candidate& c) {
  const Traffic& t = request_.traffic;
  const double cached = cached_tokens(t);
  const double fresh = t.input_tokens - cached;
  const double chunk = c.chunk_tokens > 0.0 ? std::min(c.chunk_tokens, fresh) : fresh;
  const double prompts = c.batch * static_cast<double>(plan.dp);
  const auto stages = static_cast<double>(plan.pp);
  const auto chunks = static_cast<std::int64_t>(std::ceil(fresh / chunk));
  step_.phase = model::Phase::prefill;
  step_.draft_tokens = 0;
  Optimum out;
  Seconds busy;
  for (std::int64_t i = 0; i < chunks; ++i) {
    const double done = static_cast<double>(i) * chunk;
    step_.groups.assign(1, {prompts, std::min(chunk, fresh - done), cached + done});
    const Seconds way = least(plan, step_, plan.two_batch_overlap ? 2 : 1);
    out.latency += i + 1 < chunks ? way / stages : way;
    busy += way / stages;
  }
  out.cycle = busy;
  out.requests_per_s = prompts / busy.value;
  return out;
}

mapping::Plan plan_of(mapping::Plan plan, const Candidate& c) {
  plan.two_batch_overlap = c.overlap;
  plan.all_to_all = c.all_to_all;
  return plan;
}

PhasePoint optimistic_point(const mapping::Plan& plan, const Candidate& c, const Optimum& o) {
  PhasePoint p;
  p.plan = plan_of(plan, c);
  p.draft_tokens = c.draft_tokens;
  p.chunk_tokens = c.chunk_tokens;
  p.batch = c.batch * static_cast<double>(plan.dp);
  p.requests_per_s = o.requests_per_s;
  p.estimate.latency = o.latency;
  p.estimate.step.cycle = o.cycle;
  p.estimate.devices = mapping::devices(plan);
  return p;
}

void widen(PhasePoint& best, const PhasePoint& other) {
  const auto wait = [](const PhasePoint& p) { return p.batch / p.requests_per_s; };
  const double busy = std::min(wait(best), wait(other));
  best.requests_per_s = std::max(best.requests_per_s, other.requests_per_s);
  best.batch = busy * best.requests_per_s;
  best.estimate.latency = std::min(best.estimate.latency, other.estimate.latency);
  best.estimate.step.cycle = std::min(best.estimate.step.cycle, other.estimate.step.cycle);
  if (mapping::devices(other.plan) < mapping::devices(best.plan)) best.plan = other.plan;
}

}  // namespace fathom::study
