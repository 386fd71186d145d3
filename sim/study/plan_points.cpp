#include "study/plan_points.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "study/sampled_load.hpp"

namespace fathom::study {
namespace {

using mapping::AllToAll;
using mapping::Plan;

// New tokens of one replica and step beyond which a longer prefill step only waits longer: GEMMs of
// 64 Ki rows are far past the ridge of every device here.
constexpr double kMaxPrefillTokens = 65536.0;
// A search limit, not a property of any machine.
constexpr double kMaxSequences = 16384.0;

bool has_experts(const model::ArchSpec& arch) {
  return std::ranges::any_of(arch.kinds,
                             [](const model::LayerSpec& l) { return l.moe.n_routed_experts > 0; });
}

std::vector<std::int64_t> powers_of_two(std::int64_t limit) {
  std::vector<std::int64_t> out;
  for (std::int64_t n = 1; n <= limit; n *= 2) out.push_back(n);
  return out;
}

std::vector<std::int64_t> divisors(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t d = 1; d <= n; ++d) {
    if (n % d == 0) out.push_back(d);
  }
  return out;
}

std::vector<std::int64_t> or_default(const std::vector<std::int64_t>& given,
                                     const std::vector<std::int64_t>& automatic) {
  return given.empty() ? automatic : given;
}

// The smallest number of sequences per replica that fills every micro-batch of every stage.
double smallest_batch(const Plan& plan, bool decode) {
  const std::int64_t stages = decode ? plan.pp : 1;
  return static_cast<double>(stages * (plan.two_batch_overlap ? 2 : 1));
}

// New tokens of the largest step of a rank: of `count` sequences of a replica with `fresh` each.
double step_tokens(const Plan& plan, double count, double fresh, model::Phase phase) {
  thread_local model::StepShape whole;  // reused: memory is asked once per step of a bisection
  thread_local model::StepShape local;
  whole.phase = phase;
  whole.groups.assign(1, {count * static_cast<double>(plan.dp), fresh, 0.0});
  const bool decode = phase == model::Phase::decode;
  mapping::local_step(whole, plan, static_cast<std::int64_t>(smallest_batch(plan, decode)), local);
  return model::tokens(local);
}

// Decode sequences per replica that the memory holds, at most kMaxSequences. Activations grow with
// the batch, hence a search; memory is monotone in it.
double largest_decode_batch(const PlanRequest& request, const infer::StepModel& model,
                            std::int64_t drafts) {
  const auto fits = [&](double n) {
    const double new_tokens = 1.0 + static_cast<double>(drafts);
    const mapping::MemoryQuery query{
        .sequences = n,
        .context_tokens = longest_context_tokens(request.traffic) + new_tokens,
        .step_tokens = step_tokens(model.plan, n, new_tokens, model::Phase::decode),
        .mtp = drafts > 0};
    return infer::tightest(model, query).fits();
  };
  if (!fits(1.0)) return 0.0;
  double low = 1.0;
  double high = kMaxSequences;
  if (fits(high)) return high;
  while (high - low > 1.0) {
    const double middle = std::floor((low + high) / 2.0);
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

// As infer::prefill() asks for it: the activations of the last chunk.
bool prefill_fits(const PlanRequest& request, const infer::StepModel& model, double prompts,
                  double chunk) {
  const Traffic& t = request.traffic;
  const double fresh = t.input_tokens - cached_tokens(t);
  const double last = chunk > 0.0 ? fresh - (std::ceil(fresh / chunk) - 1.0) * chunk : fresh;
  return infer::tightest(
             model, {.sequences = prompts,
                     .context_tokens = t.input_tokens,
                     .step_tokens = step_tokens(model.plan, prompts, last, model::Phase::prefill)})
      .fits();
}

std::string reason_of(const infer::InferOutcome& outcome) {
  return std::get<infer::Infeasible>(outcome).reason;
}

// What a step does with kernels between ranks and experts, if anything: two that come to the same
// have the same times.
AllToAll effective(const Plan& plan, AllToAll kernels, model::Phase phase) {
  Plan with = plan;
  with.all_to_all = kernels;
  if (mapping::expert_traffic(with) != mapping::ExpertTraffic::exchange) return AllToAll::gather;
  if (kernels != AllToAll::automatic) return kernels;
  return phase == model::Phase::decode ? AllToAll::low_latency : AllToAll::throughput;
}

/// Lists one plan's candidates, form by form.
class Listing {
 public:
  Listing(const PlanRequest& request, infer::StepModel& model) : request_(request), model_(model) {}

  Candidates take() { return std::move(out_); }

  void add(bool overlap, AllToAll kernels) {
    form_ = {.overlap = overlap, .all_to_all = kernels};
    assume(form_, model_);
    if (is_new(kernels, model::Phase::decode)) {
      for (const std::int64_t drafts : request_.search.draft_tokens) decode(drafts);
    }
    if (is_new(kernels, model::Phase::prefill)) {
      for (const std::int64_t chunk : request_.search.chunk_tokens) {
        prefill(static_cast<double>(chunk));
      }
    }
  }

 private:
  bool is_new(AllToAll kernels, model::Phase phase) const {
    for (const AllToAll other : request_.search.all_to_all) {
      if (other == kernels) return true;
      if (effective(model_.plan, other, phase) == effective(model_.plan, kernels, phase))
        return false;
    }
    return true;
  }

  void decode(std::int64_t drafts) {
    form_.draft_tokens = drafts;
    form_.chunk_tokens = 0.0;
    const double last = largest_decode_batch(request_, model_, drafts);
    const double first = smallest_batch(model_.plan, true);
    if (last < first) {
      if (out_.decode.empty()) {
        const double sequences = first * static_cast<double>(model_.plan.dp);
        refuse("decode", infer::decode(model_, decode_query(request_, sequences, drafts)));
      }
      return;
    }
    for (double batch = first;; batch = std::min(next_batch(batch), last)) {
      push(batch, out_.decode);
      if (batch >= last) return;
    }
  }

  void prefill(double chunk) {
    const double fresh = request_.traffic.input_tokens - cached_tokens(request_.traffic);
    if (chunk >= fresh) return;  // a chunk as long as the prompt is the whole prompt
    form_.draft_tokens = 0;
    form_.chunk_tokens = chunk;
    const double step = chunk > 0.0 ? chunk : fresh;
    const double first = smallest_batch(model_.plan, false);
    for (double batch = first;; batch = next_batch(batch)) {
      if (batch > first && batch * step > kMaxPrefillTokens) return;
      if (!prefill_fits(request_, model_, batch, chunk)) {
        if (batch == first && out_.prefill.empty()) {
          const double prompts = batch * static_cast<double>(model_.plan.dp);
          refuse("prefill", infer::prefill(model_, prefill_query(request_, prompts, chunk)));
        }
        return;
      }
      push(batch, out_.prefill);
    }
  }

  void push(double batch, std::vector<Candidate>& list) {
    form_.batch = batch;
    list.push_back(form_);
  }

  // Overlap needs two sequences where one may fit: the refusal of the plain form counts.
  void refuse(const char* phase, const infer::InferOutcome& outcome) {
    for (const Refusal& r : out_.refused) {
      if (r.phase == phase) return;
    }
    if (std::holds_alternative<infer::InferEstimate>(outcome)) return;
    out_.refused.push_back({model_.plan, phase, Refusal::Cause::memory, reason_of(outcome)});
  }

  const PlanRequest& request_;
  infer::StepModel& model_;
  Candidates out_;
  Candidate form_;
};

PhasePoint make_point(const Candidate& c, const infer::StepModel& model,
                      const infer::InferEstimate& estimate, double tokens_per_request) {
  PhasePoint p;
  p.plan = model.plan;
  p.draft_tokens = c.draft_tokens;
  p.chunk_tokens = c.chunk_tokens;
  p.batch = c.batch * static_cast<double>(model.plan.dp);
  p.requests_per_s =
      estimate.per_device.value * static_cast<double>(estimate.devices) / tokens_per_request;
  p.estimate = estimate;
  return p;
}

}  // namespace

double next_batch(double batch) {
  if (batch < 8.0) return batch + 1.0;
  const double octave = std::exp2(std::floor(std::log2(batch)));
  return std::floor(batch / (octave / 4.0) + 1.0) * (octave / 4.0);
}

std::vector<Plan> candidate_plans(const PlanRequest& request) {
  const SearchSpace& s = request.search;
  const bool experts = has_experts(request.model.arch);
  std::vector<Plan> plans;
  const auto add_experts = [&](Plan plan) {
    const auto eps = experts ? divisors(mapping::ranks_per_stage(plan)) : divisors(1);
    for (const std::int64_t ep : or_default(s.ep, eps)) {
      plan.ep = ep;
      for (const std::int64_t redundant : s.redundant_experts) {
        plan.redundant_experts = redundant;
        plans.push_back(plan);
      }
    }
  };
  // Replicas of a model without experts share nothing: they are separate instances.
  const auto dps = experts ? powers_of_two(s.max_instance_devices) : powers_of_two(1);
  for (const std::int64_t tp : or_default(s.tp, {1, 2, 4, 8, 16})) {
    for (const std::int64_t pp : or_default(s.pp, {1, 2})) {
      for (const std::int64_t cp : s.cp) {
        for (const std::int64_t dp : or_default(s.dp, dps)) {
          if (tp * pp * cp * dp > s.max_instance_devices) continue;
          add_experts({.tp = tp, .pp = pp, .dp = dp, .cp = cp, .expert_load = request.expert_load});
        }
      }
    }
  }
  return plans;
}

std::vector<Plan> loaded_plans(const PlanRequest& request, const hw::Cluster& cluster) {
  std::vector<Plan> plans = candidate_plans(request);
  if (!request.load_source) return plans;
  // nothing else of a candidate matters to its placement
  std::map<std::pair<std::int64_t, std::int64_t>, double> loads;
  for (Plan& plan : plans) {
    if (mapping::infeasible(request.model.arch, plan, cluster)) continue;
    const auto [at, fresh] = loads.try_emplace({plan.ep, plan.redundant_experts}, 1.0);
    if (fresh) {
      at->second =
          used(sample_load(*request.load_source, request.model.arch, plan, cluster, std::nullopt))
              .mean;
    }
    plan.expert_load = at->second;
  }
  return plans;
}

infer::DecodeQuery decode_query(const PlanRequest& request, double sequences, std::int64_t drafts) {
  const Traffic& t = request.traffic;
  return {.sequences = sequences,
          .context_tokens = mean_context_tokens(t),
          .draft_tokens = drafts,
          .acceptance = drafts > 0 ? request.acceptance : 0.0,
          .reserve_tokens = longest_context_tokens(t) - mean_context_tokens(t)};
}

infer::PrefillQuery prefill_query(const PlanRequest& request, double prompts, double chunk) {
  return {.prompts = prompts,
          .prompt_tokens = request.traffic.input_tokens,
          .cached_tokens = cached_tokens(request.traffic),
          .chunk_tokens = chunk};
}

infer::StepModel step_model(const PlanRequest& request, const hw::Cluster& cluster,
                            const Plan& plan, std::vector<std::string>* notes) {
  return infer::make_step_model(request.model.arch, cluster, plan, request.options, notes);
}

std::optional<Refusal> refusal_of(const PlanRequest& request, const hw::Cluster& cluster,
                                  const Plan& plan) {
  auto reason = mapping::infeasible(request.model.arch, plan, cluster);
  if (!reason) return std::nullopt;
  const bool large = mapping::devices(plan) > cluster.tiers.back().group;
  return Refusal{plan, "both", large ? Refusal::Cause::machine : Refusal::Cause::indivisible,
                 *std::move(reason)};
}

void assume(const Candidate& candidate, infer::StepModel& model) {
  if (model.plan.two_batch_overlap == candidate.overlap &&
      model.plan.all_to_all == candidate.all_to_all)
    return;
  model.plan.two_batch_overlap = candidate.overlap;
  model.plan.all_to_all = candidate.all_to_all;
  model.programs.clear();  // prepared for the other form
}

Candidates candidates_of(const PlanRequest& request, infer::StepModel& model) {
  const SearchSpace& s = request.search;
  Listing listing(request, model);
  for (const bool overlap : {false, true}) {
    if (overlap ? !s.with_overlap : !s.without_overlap) continue;
    // Only communication can hide behind the other batch's work.
    if (overlap && mapping::devices(model.plan) == 1 && s.without_overlap) continue;
    for (const AllToAll kernels : s.all_to_all) listing.add(overlap, kernels);
  }
  return listing.take();
}

std::optional<PhasePoint> evaluate_point(const PlanRequest& request, infer::StepModel& model,
                                         const Candidate& c, model::Phase phase) {
  assume(c, model);
  const bool decode = phase == model::Phase::decode;
  const Traffic& t = request.traffic;
  const double count = c.batch * static_cast<double>(model.plan.dp);
  const infer::InferOutcome outcome =
      decode ? infer::decode(model, decode_query(request, count, c.draft_tokens))
             : infer::prefill(model, prefill_query(request, count, c.chunk_tokens));
  const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
  if (estimate == nullptr) return std::nullopt;
  return make_point(c, model, *estimate,
                    decode ? t.output_tokens : t.input_tokens - cached_tokens(t));
}

mapping::MemoryFootprint shared_memory(const PlanRequest& request, const infer::StepModel& model,
                                       const PhasePoint& decode, const PhasePoint& prefill) {
  const auto replicas = static_cast<double>(model.plan.dp);
  const Traffic& t = request.traffic;
  const double fresh = t.input_tokens - cached_tokens(t);
  const double chunk = prefill.chunk_tokens > 0.0 ? prefill.chunk_tokens : fresh;
  const double new_tokens = 1.0 + static_cast<double>(decode.draft_tokens);
  const double per_replica = decode.batch / replicas;
  const double prompts = prefill.batch / replicas;
  const double decode_tokens =
      step_tokens(decode.plan, per_replica, new_tokens, model::Phase::decode);
  const double prefill_tokens =
      step_tokens(prefill.plan, prompts, std::min(chunk, fresh), model::Phase::prefill);
  return infer::tightest(model, {.sequences = per_replica + prompts,
                                 .context_tokens = longest_context_tokens(t) + new_tokens,
                                 .step_tokens = std::max(decode_tokens, prefill_tokens),
                                 .mtp = decode.draft_tokens > 0});
}

}  // namespace fathom::study
