#include "study/draft_trade.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "infer/serving_point.hpp"
#include "lang/say.hpp"
#include "study/hardware_trade.hpp"
#include "study/standard_plan.hpp"

namespace fathom::study {
namespace {

using lang::say;

double real(std::int64_t value) { return static_cast<double>(value); }

void check(const DraftTradeRequest& request, std::string_view where) {
  check_ascending(request.batches, "batches", where);
  check_ascending(request.drafts, "draft_tokens", where);
  if (request.acceptances.empty()) {
    throw InputError(fmt::format("{}/acceptances: empty; expected probabilities", where));
  }
  for (std::size_t i = 0; i < request.acceptances.size(); ++i) {
    const double p = request.acceptances[i];
    const double before = i > 0 ? request.acceptances[i - 1] : -1.0;
    if (!(p >= 0.0) || p > 1.0 || p <= before) {
      throw InputError(
          fmt::format("{}/acceptances/{}: found {}, expected ascending probabilities from 0 to 1",
                      where, i, p));
    }
  }
}

mapping::Plan choose_plan(const DraftTradeRequest& request, const model::ArchSpec& arch,
                          const hw::Cluster& cluster, const model::LowerOptions& options,
                          std::string_view where) {
  const double context = real(request.context_tokens);
  for (const mapping::Plan& plan : standard_plans(arch, cluster)) {
    if (request.devices > 0 && mapping::devices(plan) != request.devices) continue;
    if (sequences_that_fit(arch, cluster, plan, options, context) >= 1.0) return plan;
  }
  throw InputError(fmt::format("{}/gpus: found {}, no standard plan of so many {} holds {}", where,
                               request.devices, cluster.id, arch.name));
}

// The whole step; nothing when it does not fit.
Seconds step_of(infer::StepModel& m, const DraftTradeRequest& request, std::int64_t batch,
                std::int64_t drafts, std::string& infeasible) {
  const auto outcome = infer::decode(m, {.sequences = real(batch * mapping::devices(m.plan)),
                                         .context_tokens = real(request.context_tokens),
                                         .draft_tokens = drafts});
  if (const auto* no = std::get_if<infer::Infeasible>(&outcome)) {
    infeasible = no->reason;
    return {};
  }
  return std::get<infer::InferEstimate>(outcome).step.cycle;
}

DraftPoint point_of(infer::StepModel& m, const DraftTradeRequest& request, std::int64_t batch,
                    std::int64_t drafts, Seconds plain) {
  DraftPoint point{.batch = batch, .drafts = drafts};
  point.step = step_of(m, request, batch, drafts, point.infeasible);
  if (!point.infeasible.empty() || plain.value <= 0.0) return point;
  point.step_ratio = point.step / plain;
  point.break_even = break_even(drafts, point.step_ratio);
  for (const double p : request.acceptances) {
    point.speedup.push_back(infer::expected_accepted(drafts, p) / point.step_ratio);
  }
  return point;
}

void confess(const model::ArchSpec& arch, const DraftTradeRequest& request, Basis& basis) {
  add_note(basis, say("Decode steps of equal sequences at {} tokens of context; a draft is "
                      "accepted with the same probability at every place, given that the one "
                      "before was.",
                      request.context_tokens));
  add_note(basis,
           "Acceptance depends on the text and is an input. Published for one draft: 85 to 90 % "
           "(DeepSeek-V3 report, section 5.4.3), 80 to 90 % (arXiv 2505.09343, section 2.3.3), "
           "92 % (TensorRT-LLM tech blog 1), 79 to 92 % (InferenceX, DeepSeek-V4-Pro).");
  if (request.drafts.back() > arch.num_nextn_predict_layers) {
    const std::int64_t own = arch.num_nextn_predict_layers;
    add_note(basis,
             own == 1 ? say("{} has {} MTP module; further drafts run it again on its own output. "
                            "Their acceptance is lower than the first one's.",
                            arch.name, own)
                      : say("{} has {} MTP modules; further drafts run it again on its own output. "
                            "Their acceptance is lower than the first one's.",
                            arch.name, own));
  }
  add_note(basis, "Host time per step is not modelled: it favours drafts at small batches.");
}

}  // namespace

std::optional<double> break_even(std::int64_t drafts, double step_ratio) {
  if (step_ratio <= 1.0) return 0.0;
  if (step_ratio > real(drafts) + 1.0) return std::nullopt;
  double low = 0.0;
  double high = 1.0;
  for (int i = 0; i < 60; ++i) {  // beyond the last bit of a double
    const double middle = 0.5 * (low + high);
    (infer::expected_accepted(drafts, middle) < step_ratio ? low : high) = middle;
  }
  return high;
}

DraftTrade trade_drafts(const DraftTradeRequest& request, std::string_view where) {
  check(request, where);
  const model::Model model = model::load_model(request.model);
  if (model.arch.mtp_kind == model::MtpKind::none) {
    throw InputError(
        fmt::format("{}/model: {} has no MTP module; expected a model with one, such "
                    "as 'deepseek-v3'",
                    where, model.arch.name));
  }
  const hw::Cluster cluster = hw::load_cluster(request.hardware);
  model::LowerOptions options{.precision = model::default_precision(model.arch)};
  if (!request.kv.empty()) {
    options.precision.kv = model::parse_kv_layout(request.kv, fmt::format("{}/kv", where));
  }
  DraftTrade trade{.request = request, .model = model.arch.name, .hardware = cluster.id};
  trade.plan = choose_plan(request, model.arch, cluster, options, where);
  confess(model.arch, request, trade.basis);
  std::vector<std::string> notes;
  infer::StepModel m = infer::make_step_model(model.arch, cluster, trade.plan, options, &notes);
  for (const std::string& note : notes) add_note(trade.basis, note);
  trade.weights = *std::ranges::max_element(m.weights);
  trade.weights_mtp = *std::ranges::max_element(m.weights_mtp);
  for (const std::int64_t batch : request.batches) {
    std::string infeasible;
    trade.plain.push_back(step_of(m, request, batch, 0, infeasible));
  }
  for (const std::int64_t drafts : request.drafts) {
    for (std::size_t i = 0; i < request.batches.size(); ++i) {
      trade.points.push_back(point_of(m, request, request.batches[i], drafts, trade.plain[i]));
    }
  }
  add_model(trade.basis, model);
  add_cluster(trade.basis, cluster);
  return trade;
}

}  // namespace fathom::study
