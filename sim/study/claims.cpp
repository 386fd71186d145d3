#include "study/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "infer/serving_point.hpp"
#include "model/params.hpp"
#include "study/standard_plan.hpp"

namespace fathom::study {
namespace {

double real(std::int64_t value) { return static_cast<double>(value); }

constexpr std::int64_t kMostDevices = 1024;

/// One side with everything read.
struct Side {
  const ClaimSide* asked = nullptr;
  model::Model model;
  model::LowerOptions options;
};

Side read_side(const ClaimSide& asked, const std::string& where) {
  Side side{.asked = &asked,
            .model = model::load_model(asked.model, {.attention = asked.attention})};
  side.options.precision = model::default_precision(side.model.arch);
  if (!asked.kv.empty()) {
    side.options.precision.kv = model::parse_kv_layout(asked.kv, where + "/kv");
  }
  if (asked.weights) {
    side.options.precision.linear = side.options.precision.experts = *asked.weights;
    side.options.precision.linear_input = side.options.precision.experts_input =
        model::input_for(*asked.weights);
  }
  if (asked.drafts > 0 && side.model.arch.mtp_kind == model::MtpKind::none) {
    throw InputError(fmt::format("{}/draft_tokens: {} has no MTP module; expected 0", where,
                                 side.model.arch.name));
  }
  return side;
}

/// A case at one of its values.
struct Setting {
  double context_tokens = 0.0;
  double sequences_per_device = 0.0;
  double acceptance = 0.0;
};

Setting setting_at(const ClaimCase& c, std::optional<double> at) {
  Setting s{c.context_tokens, c.sequences_per_device, c.acceptance};
  if (!at) return s;
  if (c.vary == ClaimVary::context_tokens) s.context_tokens = *at;
  if (c.vary == ClaimVary::sequences_per_gpu) s.sequences_per_device = *at;
  if (c.vary == ClaimVary::acceptance) s.acceptance = *at;
  return s;
}

std::optional<mapping::Plan> plan_of(const Side& side, const hw::Cluster& cluster,
                                     std::int64_t devices, double context) {
  for (const mapping::Plan& plan : standard_plans(side.model.arch, cluster)) {
    if (mapping::devices(plan) != devices) continue;
    if (sequences_that_fit(side.model.arch, cluster, plan, side.options, context) >= 1.0) {
      return plan;
    }
  }
  return std::nullopt;
}

struct Sides {
  Side with, without;
  hw::Cluster cluster;
  std::optional<mapping::Plan> plan_with, plan_without;
};

void choose_plans(const ClaimCase& c, Sides& sides) {
  double shortest = c.context_tokens;
  if (c.vary == ClaimVary::context_tokens) shortest = *std::ranges::min_element(c.values);
  const std::int64_t first = c.devices > 0 ? c.devices : 1;
  const std::int64_t last = c.devices > 0 ? c.devices : kMostDevices;
  for (std::int64_t devices = first; devices <= last; devices *= 2) {
    sides.plan_with = plan_of(sides.with, sides.cluster, devices, shortest);
    sides.plan_without = plan_of(sides.without, sides.cluster, devices, shortest);
    if (sides.plan_with && sides.plan_without) return;
  }
}

double cache_of(const Side& side, const Setting& s) {
  return model::kv_bytes_per_sequence(side.model.arch, side.options.precision.kv,
                                      static_cast<std::int64_t>(s.context_tokens))
      .value;
}

// What is asked of a step of one side.
struct Step {
  double memory = 0.0;      // used by the fullest device
  double time = 0.0;        // of the step
  double per_device = 0.0;  // tokens/s
  std::string infeasible;
};

Step step_of(const Side& side, const hw::Cluster& cluster, const mapping::Plan& plan,
             const Setting& s) {
  Step out;
  infer::StepModel m = infer::make_step_model(side.model.arch, cluster, plan, side.options);
  double sequences = s.sequences_per_device * real(mapping::devices(plan));
  if (sequences <= 0.0) {
    sequences = real(plan.dp) *
                sequences_that_fit(side.model.arch, cluster, plan, side.options, s.context_tokens);
  }
  const mapping::MemoryFootprint memory =
      infer::tightest(m, {.sequences = sequences / real(plan.dp),
                          .context_tokens = s.context_tokens + 1.0,
                          .step_tokens = sequences / real(plan.dp),
                          .mtp = side.asked->drafts > 0});
  out.memory = memory.used().value;
  const auto outcome = infer::decode(m, {.sequences = sequences,
                                         .context_tokens = s.context_tokens,
                                         .draft_tokens = side.asked->drafts,
                                         .acceptance = s.acceptance});
  if (const auto* no = std::get_if<infer::Infeasible>(&outcome)) {
    out.infeasible = no->reason;
    return out;
  }
  const auto& estimate = std::get<infer::InferEstimate>(outcome);
  out.time = estimate.step.cycle.value;
  out.per_device = estimate.per_device.value;
  return out;
}

// One sequence, absorbed where the attention is latent, as decoding does.
double core_flops(const Side& side, const Setting& s) {
  model::LowerOptions options = side.options;
  options.mla = model::MlaForm::absorbed;
  const model::OpGraph graph =
      model::lower(side.model.arch, {.groups = {{1.0, 1.0, s.context_tokens - 1.0}}}, options);
  double sum = 0.0;
  for (const model::Block& block : graph.blocks) {
    for (int i = block.begin; i < block.end; ++i) {
      const ops::Op& op = graph.nodes[static_cast<std::size_t>(i)].op;
      const bool core = std::holds_alternative<ops::Attention>(op) ||
                        std::holds_alternative<ops::LatentAttention>(op) ||
                        std::holds_alternative<ops::LinearAttention>(op) ||
                        std::holds_alternative<ops::Indexer>(op);
      if (core) sum += block.repeat * ops::cost(op).flops.value;
    }
  }
  return sum;
}

double draft_parameters(const Side& side) {
  const model::ParamCount params = model::count_params(side.model.arch);
  return 100.0 * real(params.mtp_unique) / real(params.total_main);
}

bool needs_step(ClaimQuantity quantity) {
  return quantity == ClaimQuantity::memory_saving || quantity == ClaimQuantity::decode_ratio ||
         quantity == ClaimQuantity::decode_gain || quantity == ClaimQuantity::step_cost;
}

double percent_less(double with, double without) { return 100.0 * (1.0 - with / without); }

double timeless(ClaimQuantity quantity, const Sides& sides, const Setting& s) {
  switch (quantity) {
    case ClaimQuantity::cache_ratio:
      return cache_of(sides.without, s) / cache_of(sides.with, s);
    case ClaimQuantity::cache_saving:
      return percent_less(cache_of(sides.with, s), cache_of(sides.without, s));
    case ClaimQuantity::attention_flops_ratio:
      return core_flops(sides.with, s) / core_flops(sides.without, s);
    default:
      return draft_parameters(sides.with);
  }
}

void timed(ClaimQuantity quantity, const Sides& sides, const Setting& s, ClaimValue& out) {
  if (!sides.plan_with || !sides.plan_without) {
    out.infeasible = "no standard plan of equally many devices holds a sequence on both sides";
    return;
  }
  const Step with = step_of(sides.with, sides.cluster, *sides.plan_with, s);
  const Step without = step_of(sides.without, sides.cluster, *sides.plan_without, s);
  if (quantity == ClaimQuantity::memory_saving) {
    out.figure = percent_less(with.memory, without.memory);
    return;
  }
  if (!with.infeasible.empty() || !without.infeasible.empty()) {
    const bool ours = !with.infeasible.empty();
    out.infeasible = fmt::format("{}: {}", ours ? "with" : "without",
                                 ours ? with.infeasible : without.infeasible);
    return;
  }
  const double speed = with.per_device / without.per_device;
  if (quantity == ClaimQuantity::decode_ratio) out.figure = speed;
  if (quantity == ClaimQuantity::decode_gain) out.figure = 100.0 * (speed - 1.0);
  if (quantity == ClaimQuantity::step_cost) out.figure = 100.0 * (with.time / without.time - 1.0);
}

std::vector<ClaimValue> check_case(const Claim& claim, const Sides& sides, const ClaimCase& c) {
  std::vector<std::optional<double>> points(1);
  if (c.vary != ClaimVary::nothing) points.assign(c.values.begin(), c.values.end());
  std::vector<ClaimValue> out;
  for (const auto& at : points) {
    ClaimValue value{.at = at};
    const Setting s = setting_at(c, at);
    if (needs_step(claim.quantity)) {
      timed(claim.quantity, sides, s, value);
    } else {
      value.figure = timeless(claim.quantity, sides, s);
    }
    out.push_back(std::move(value));
  }
  return out;
}

struct Job {
  const Claim* claim;
  const ClaimCase* one;
  Sides sides;
};

std::vector<Job> read_jobs(const std::vector<Claim>& claims, std::string_view where) {
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    for (std::size_t j = 0; j < claims[i].cases.size(); ++j) {
      const ClaimCase& one = claims[i].cases[j];
      const std::string at = fmt::format("{}/{}/cases/{}", where, i, j);
      jobs.push_back({&claims[i],
                      &one,
                      {.with = read_side(one.with, at + "/with"),
                       .without = read_side(one.without, at + "/without"),
                       .cluster = hw::load_cluster(one.hardware)}});
      const bool whole = jobs.back().sides.with.model.arch.kv_cache_only ||
                         jobs.back().sides.without.model.arch.kv_cache_only;
      const bool cache = claims[i].quantity == ClaimQuantity::cache_ratio ||
                         claims[i].quantity == ClaimQuantity::cache_saving;
      if (whole && !cache) {
        throw InputError(fmt::format("{}: a model that describes its KV cache only", at));
      }
    }
  }
  return jobs;
}

}  // namespace

std::string_view name(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kNames{"less", "holds", "more"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Verdict judge(const Claim& claim, double figure) {
  if (figure < claim.low) return Verdict::less;
  return figure > claim.high ? Verdict::more : Verdict::holds;
}

ClaimsResult check_claims(const std::vector<Claim>& claims, std::string_view where) {
  std::vector<Job> jobs = read_jobs(claims, where);
  const auto values = parallel_map(static_cast<std::int64_t>(jobs.size()), 0, [&](std::int64_t i) {
    Job& job = jobs[static_cast<std::size_t>(i)];
    if (needs_step(job.claim->quantity)) choose_plans(*job.one, job.sides);
    return check_case(*job.claim, job.sides, *job.one);
  });
  ClaimsResult result;
  for (const Claim& claim : claims) result.claims.push_back({.claim = claim});
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto index = static_cast<std::size_t>(jobs[i].claim - claims.data());
    result.claims[index].cases.push_back(values[i]);
    add_model(result.basis, jobs[i].sides.with.model);
    add_model(result.basis, jobs[i].sides.without.model);
    if (needs_step(jobs[i].claim->quantity)) add_cluster(result.basis, jobs[i].sides.cluster);
  }
  add_note(result.basis,
           "Both sides run on equally many GPUs, cut in the usual way (mixture of experts: DP n "
           "with EP n; dense: TP inside a node, then pipeline stages): the fewest on which both "
           "hold a sequence of the shortest context, unless the condition says how many.");
  add_note(result.basis, "Used memory is counted even where it is more than there is.");
  add_note(result.basis,
           "Decode steps of equal sequences, without two-batch overlap or host time. Exchanged "
           "attention keeps width, depth, heads and head size; nobody trained those models.");
  add_note(result.basis,
           "A statement is true of a figure inside its range; what the statement leaves open is "
           "in the conditions.");
  return result;
}

}  // namespace fathom::study
