#include "study/hardware_trade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "infer/serving_point.hpp"
#include "lang/say.hpp"
#include "study/standard_plan.hpp"

namespace fathom::study {
namespace {

using lang::say;

double real(std::int64_t value) { return static_cast<double>(value); }

constexpr double kSecondsPerHour = 3600.0;

void fill(const infer::InferEstimate& estimate, const hw::Cluster& cluster, HardwarePoint& point) {
  point.latency = estimate.latency;
  point.per_device = estimate.per_device;
  const double price = cluster.price.per_device_hour.value;
  if (price > 0.0) {
    point.usd_per_million_tokens = 1e6 * price / kSecondsPerHour / point.per_device.value;
  }
  const auto& parts = estimate.step.step.by_bound;
  Seconds sum;
  std::size_t largest = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    sum += parts[i];
    if (parts[i] > parts[largest]) largest = i;
  }
  point.bound = static_cast<timing::Bound>(largest);
  point.bound_share = sum.value > 0.0 ? parts[largest] / sum : 0.0;
}

HardwarePoint point_of(const infer::InferOutcome& outcome, const hw::Cluster& cluster) {
  HardwarePoint point;
  if (const auto* no = std::get_if<infer::Infeasible>(&outcome)) {
    point.infeasible = no->reason;
  } else {
    fill(std::get<infer::InferEstimate>(outcome), cluster, point);
  }
  return point;
}

std::optional<mapping::Plan> choose_plan(const HardwareTradeRequest& request,
                                         const model::ArchSpec& arch, const hw::Cluster& cluster,
                                         const model::LowerOptions& options) {
  const double longest = real(request.contexts.back());
  for (const mapping::Plan& plan : standard_plans(arch, cluster)) {
    if (request.devices > 0 && mapping::devices(plan) != request.devices) continue;
    if (sequences_that_fit(arch, cluster, plan, options, longest) >= 1.0) return plan;
  }
  return std::nullopt;
}

std::string no_plan(const HardwareTradeRequest& request) {
  if (request.devices == 0) {
    return say("no standard plan holds a sequence of {} tokens", request.contexts.back());
  }
  return say("no standard plan of {} devices holds a sequence of {} tokens", request.devices,
             request.contexts.back());
}

struct RowAndNotes {
  HardwareRow row;
  std::vector<std::string> notes;
};

RowAndNotes make_row(const HardwareTradeRequest& request, const model::ArchSpec& arch,
                     const model::LowerOptions& options, const hw::Cluster& cluster) {
  RowAndNotes out;
  HardwareRow& row = out.row;
  row.cluster = cluster;
  row.plan = choose_plan(request, arch, cluster, options);
  if (!row.plan) {
    row.infeasible = no_plan(request);
    return out;
  }
  infer::StepModel m = infer::make_step_model(arch, cluster, *row.plan, options, &out.notes);
  row.weights = *std::ranges::max_element(m.weights);
  const double replicas = real(row.plan->dp);
  const double devices = real(mapping::devices(*row.plan));
  for (const std::int64_t context : request.contexts) {
    const double fit = sequences_that_fit(arch, cluster, *row.plan, options, real(context));
    row.max_sequences.push_back(fit * replicas / devices);
    for (const std::int64_t batch : request.batches) {
      row.decode.push_back(point_of(
          infer::decode(m, {.sequences = real(batch) * devices, .context_tokens = real(context)}),
          cluster));
      row.decode.back().batch = batch;
      row.decode.back().context_tokens = context;
    }
    row.prefill.push_back(point_of(infer::prefill(m, {.prompts = replicas,
                                                      .prompt_tokens = real(context),
                                                      .chunk_tokens = real(request.chunk_tokens)}),
                                   cluster));
    row.prefill.back().context_tokens = context;
  }
  return out;
}

void confess(const HardwareTradeRequest& request, Basis& basis) {
  add_note(basis,
           "Decode steps of sequences of equal length, one token each, without speculation. "
           "Prefill: one prompt per replica at a time, without queueing or cache hits.");
  add_note(basis, say("A longer prompt passes in pieces of {} tokens.", request.chunk_tokens));
  add_note(basis,
           request.devices > 0
               ? say("Every system has an instance of {} devices, cut in the usual way: "
                     "mixture of experts DP n with EP n, dense models TP inside a node.",
                     request.devices)
               : std::string("Every system has the smallest standard instance that holds a "
                             "sequence of the longest context (mixture of experts: DP n with EP "
                             "n; dense: TP inside a node, then pipeline stages). `fathom plan` "
                             "searches for better ones."));
  add_note(basis,
           "What binds: the largest part of the operators' summed time, before overlap. Dollars "
           "are for busy GPUs of that phase alone: input and output tokens are paid for apart.");
}

void check(const HardwareTradeRequest& request, std::string_view where) {
  if (request.hardware.empty()) {
    throw InputError(fmt::format("{}/hardware: empty; expected at least one profile", where));
  }
  check_ascending(request.batches, "batches", where);
  check_ascending(request.contexts, "contexts", where);
}

}  // namespace

void check_ascending(const std::vector<std::int64_t>& values, std::string_view key,
                     std::string_view where) {
  if (values.empty()) throw InputError(fmt::format("{}/{}: empty; expected counts", where, key));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 1) {
      throw InputError(
          fmt::format("{}/{}/{}: found {}, expected at least 1", where, key, i, values[i]));
    }
    if (i > 0 && values[i] <= values[i - 1]) {
      throw InputError(fmt::format("{}/{}/{}: found {} after {}, expected ascending counts", where,
                                   key, i, values[i], values[i - 1]));
    }
  }
}

HardwareTrade trade_hardware(const HardwareTradeRequest& request, std::string_view where) {
  check(request, where);
  const model::Model model = model::load_model(request.model);
  if (model.arch.kv_cache_only) {
    throw InputError(
        fmt::format("{}/model: {} describes its KV cache only", where, model.arch.name));
  }
  model::LowerOptions options{.precision = model::default_precision(model.arch)};
  if (!request.kv.empty()) {
    options.precision.kv = model::parse_kv_layout(request.kv, fmt::format("{}/kv", where));
  }
  std::vector<hw::Cluster> clusters;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < request.hardware.size(); ++i) {
    clusters.push_back(hw::load_cluster(request.hardware[i]));
    if (!ids.insert(clusters.back().id).second) {
      throw InputError(
          fmt::format("{}/hardware/{}: '{}' is listed twice", where, i, clusters.back().id));
    }
  }
  HardwareTrade trade{.request = request,
                      .model = model.arch.name,
                      .kv = std::string(name(options.precision.kv.kv))};
  confess(request, trade.basis);
  add_model(trade.basis, model);
  auto rows = parallel_map(static_cast<std::int64_t>(clusters.size()), 0, [&](std::int64_t i) {
    return make_row(request, model.arch, options, clusters[static_cast<std::size_t>(i)]);
  });
  for (RowAndNotes& made : rows) {
    for (const std::string& note : made.notes) add_note(trade.basis, note);
    add_cluster(trade.basis, made.row.cluster, true);
    trade.rows.push_back(std::move(made.row));
  }
  return trade;
}

}  // namespace fathom::study
