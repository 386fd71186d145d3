#include "study/plan_points.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "study/sampled_load.hpp"

namespace fathom::study {
namespace {

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

// Decode sequences per replica that the memory holds, at most kMaxSequences. Activations grow with
// the batch, hence a search; memory is monotone in it.
double largest_decode_batch(const PlanRequest& request, const infer::StepModel& model,
                            std::int64_t drafts) {
  const double pieces = smallest_batch(model.plan, true);
  const auto fits = [&](double n) {
    const double new_tokens = 1.0 + static_cast<double>(drafts);
    const mapping::MemoryQuery query{
        .sequences = n,
        .context_tokens = longest_context_tokens(request.traffic) + new_tokens,
        .step_tokens = std::ceil(n / pieces) * new_tokens,
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

std::string reason_of(const infer::InferOutcome& outcome) {
  return std::get<infer::Infeasible>(outcome).reason;
}

class Evaluation {
 public:
  Evaluation(const PlanRequest& request, infer::StepModel& model, PlanPoints& out)
      : request_(request), model_(model), out_(out) {
    replicas_ = static_cast<double>(model.plan.dp);
  }

  void decode(std::int64_t drafts) {
    const double last = largest_decode_batch(request_, model_, drafts);
    double batch = smallest_batch(model_.plan, true);
    if (last < batch) {
      if (out_.decode.empty()) {
        refuse("decode", infer::decode(model_, decode_query(request_, batch * replicas_, drafts)));
      }
      return;
    }
    while (true) {
      add_decode(batch, drafts);
      if (batch >= last) return;
      batch = std::min(next_batch(batch), last);
    }
  }

  void prefill(double chunk) {
    const double fresh = request_.traffic.input_tokens - cached_tokens(request_.traffic);
    if (chunk >= fresh) return;  // a chunk as long as the prompt is the whole prompt
    const double step = chunk > 0.0 ? chunk : fresh;
    for (double batch = smallest_batch(model_.plan, false);; batch = next_batch(batch)) {
      const bool first = batch == smallest_batch(model_.plan, false);
      if (!first && batch * step > kMaxPrefillTokens) return;
      const auto outcome =
          infer::prefill(model_, prefill_query(request_, batch * replicas_, chunk));
      const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
      if (estimate == nullptr) {
        if (first && out_.prefill.empty()) refuse("prefill", outcome);
        return;
      }
      PhasePoint point = make_point(batch, *estimate);
      point.chunk_tokens = chunk;
      point.requests_per_s =
          estimate->per_device.value * static_cast<double>(estimate->devices) / fresh;
      out_.prefill.push_back(point);
    }
  }

 private:
  PhasePoint make_point(double batch, const infer::InferEstimate& estimate) const {
    PhasePoint point;
    point.plan = model_.plan;
    point.batch = batch * replicas_;
    point.estimate = estimate;
    return point;
  }

  void add_decode(double batch, std::int64_t drafts) {
    const auto outcome = infer::decode(model_, decode_query(request_, batch * replicas_, drafts));
    const auto* estimate = std::get_if<infer::InferEstimate>(&outcome);
    if (estimate == nullptr) return;
    PhasePoint point = make_point(batch, *estimate);
    point.draft_tokens = drafts;
    point.requests_per_s = estimate->per_device.value * static_cast<double>(estimate->devices) /
                           request_.traffic.output_tokens;
    out_.decode.push_back(point);
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
  PlanPoints& out_;
  double replicas_ = 1.0;
};

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
  for (const std::int64_t tp : or_default(s.tp, {1, 2, 4, 8, 16})) {
    for (const std::int64_t pp : or_default(s.pp, {1, 2})) {
      // Replicas of a model without experts share nothing: they are separate instances.
      const auto dps = experts ? powers_of_two(s.max_instance_devices) : powers_of_two(1);
      for (const std::int64_t dp : or_default(s.dp, dps)) {
        if (tp * pp * dp > s.max_instance_devices) continue;
        const auto eps = experts ? divisors(tp * dp) : divisors(1);
        for (const std::int64_t ep : or_default(s.ep, eps)) {
          plans.push_back(
              {.tp = tp, .pp = pp, .ep = ep, .dp = dp, .expert_load = request.expert_load});
        }
      }
    }
  }
  return plans;
}

std::vector<Plan> loaded_plans(const PlanRequest& request, const hw::Cluster& cluster) {
  std::vector<Plan> plans = candidate_plans(request);
  if (!request.load_source) return plans;
  std::map<std::int64_t, double> loads;  // nothing else of a candidate matters to its placement
  for (Plan& plan : plans) {
    if (mapping::infeasible(request.model.arch, plan, cluster)) continue;
    const auto [at, fresh] = loads.try_emplace(plan.ep, 1.0);
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

PlanPoints evaluate_plan(const PlanRequest& request, const hw::Cluster& cluster, const Plan& plan) {
  PlanPoints out;
  if (auto reason = mapping::infeasible(request.model.arch, plan, cluster)) {
    const bool large = mapping::devices(plan) > cluster.tiers.back().group;
    out.refused.push_back(
        {plan, "both", large ? Refusal::Cause::machine : Refusal::Cause::indivisible, *reason});
    return out;
  }
  infer::StepModel model = step_model(request, cluster, plan, &out.notes);
  for (const bool overlap : {false, true}) {
    if (overlap ? !request.search.with_overlap : !request.search.without_overlap) continue;
    // Only communication can hide behind the other batch's work.
    if (overlap && mapping::devices(plan) == 1 && request.search.without_overlap) continue;
    model.plan.two_batch_overlap = overlap;
    model.programs.clear();  // prepared for the other form
    Evaluation run(request, model, out);
    for (const std::int64_t drafts : request.search.draft_tokens) run.decode(drafts);
    for (const std::int64_t chunk : request.search.chunk_tokens) {
      run.prefill(static_cast<double>(chunk));
    }
  }
  return out;
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
      std::ceil(per_replica / smallest_batch(decode.plan, true)) * new_tokens;
  const double prefill_tokens = std::ceil(prompts / smallest_batch(prefill.plan, false)) * chunk;
  return infer::tightest(model, {.sequences = per_replica + prompts,
                                 .context_tokens = longest_context_tokens(t) + new_tokens,
                                 .step_tokens = std::max(decode_tokens, prefill_tokens),
                                 .mtp = decode.draft_tokens > 0});
}

}  // namespace fathom::study
