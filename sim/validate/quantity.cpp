#include "validate/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "model/model_json.hpp"
#include "study/evaluate.hpp"
#include "timing/roofline.hpp"

namespace fathom::validate {
namespace {

using nlohmann::json;

constexpr double kMillion = 1e6;
constexpr double kSecondsPerHour = 3600.0;

double at_pointer(const json& document, std::string_view pointer) {
  try {
    const json& value = document.at(json::json_pointer(std::string(pointer)));
    if (value.is_number()) return value.get<double>();
  } catch (const json::exception&) {  // reported below, with our words
  }
  throw InputError(fmt::format("quantity '{}': no number at this JSON pointer", pointer));
}

bool is_pointer(std::string_view name) { return name.starts_with('/'); }

[[noreturn]] void unknown_quantity(std::string_view name, std::span<const std::string_view> known) {
  const std::string hint = did_you_mean(name, known);
  throw InputError(fmt::format(
      "quantity '{}' is not known here{}", name,
      hint.empty() ? fmt::format("; expected a JSON pointer or one of {}", fmt::join(known, ", "))
                   : hint));
}

// Dispatch and combine of one layer and micro-batch, without anything beside them.
double exchange_seconds(const infer::StepModel& model) {
  double longest = 0.0;
  for (const model::Block& block : model.mapped.blocks) {
    double sum = 0.0;
    for (int i = block.begin; i < block.end; ++i) {
      const auto n = static_cast<std::size_t>(i);
      if (std::holds_alternative<ops::ExpertExchange>(model.mapped.nodes[n].op))
        sum += model.timed.nodes[n].time.total.value;
    }
    longest = std::max(longest, sum);
  }
  return longest;
}

double of_estimate(const study::Scenario& scenario, const study::Answer& answer,
                   std::string_view name) {
  constexpr std::array<std::string_view, 9> kNames{"tokens_per_s_per_gpu",
                                                   "tokens_per_s_per_node",
                                                   "tokens_per_s_per_user",
                                                   "tpot_s",
                                                   "ttft_s",
                                                   "step_s",
                                                   "gpu_s_per_token",
                                                   "usd_per_million_tokens",
                                                   "exchange_s"};
  const auto& e = std::get<infer::InferEstimate>(answer.outcome);
  if (is_pointer(name)) return at_pointer(infer::to_json(e), name);
  const double rate = e.per_device.value;
  const double dollars_per_second = scenario.cluster.price.per_device_hour.value / kSecondsPerHour;
  const auto found = std::ranges::find(kNames, name);
  switch (found - kNames.begin()) {
    case 0:
      return rate;
    case 1:
      return rate * static_cast<double>(scenario.cluster.devices_per_node);
    case 2:
      return e.per_user.value;
    case 3:
    case 4:
      return e.latency.value;
    case 5:
      return e.step.cycle.value;
    case 6:
      return 1.0 / rate;
    case 7:
      return kMillion * dollars_per_second / rate;
    case 8:
      return exchange_seconds(answer.model);
    default:
      unknown_quantity(name, kNames);
  }
}

Predicted of(const study::Scenario& scenario, const study::Answer& answer, std::string_view name) {
  if (const auto* reason = std::get_if<infer::Infeasible>(&answer.outcome)) return *reason;
  return of_estimate(scenario, answer, name);
}

Predicted of(const study::Scenario& scenario, std::string_view name) {
  return of(scenario, study::evaluate(scenario), name);
}

Predicted of(const ModelSetup& setup, std::string_view name) {
  return at_pointer(model::model_json(setup.model, {4096, 32768, 131072, 1048576}), name);
}

Predicted of(const OperatorSetup& setup, std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"time_s", "flops", "tflops", "gb_s",
                                                   "flop_per_byte"};
  Seconds time;
  Flops flops;
  Bytes bytes;
  for (const ops::Op& op : setup.ops) {
    const ops::OpCost cost = ops::cost(op);
    time += timing::time_of(op, setup.cluster, {}).total + setup.launch;
    flops += cost.flops;
    bytes += traffic(cost);
  }
  const auto found = std::ranges::find(kNames, name);
  switch (found - kNames.begin()) {
    case 0:
      return time.value;
    case 1:
      return flops.value;
    case 2:
      return (flops / time).value / 1e12;
    case 3:
      return (bytes / time).value / 1e9;
    case 4:
      return (flops / bytes).value;
    default:
      unknown_quantity(name, kNames);
  }
}

Predicted of(const ProductionDay& day, std::string_view name) {
  const DayEstimate estimated = estimate(day);
  if (!estimated.infeasible.empty()) return infer::Infeasible{estimated.infeasible};
  return at_pointer(to_json(estimated), name);
}

using Shares = std::array<double, hw::kEvidenceCount>;

Shares normalised(Shares shares) {
  double sum = 0.0;
  for (const double share : shares) sum += share;
  if (sum > 0.0) {
    for (double& share : shares) share /= sum;
  }
  return shares;
}

}  // namespace

Predicted quantity(const Setup& setup, std::string_view name) {
  return std::visit([name](const auto& s) { return of(s, name); }, setup);
}

Predicted quantity(Setup& setup, std::string_view name, std::optional<study::Answer>& kept) {
  auto* scenario = std::get_if<study::Scenario>(&setup);
  if (scenario == nullptr) return quantity(setup, name);
  if (kept) {
    study::evaluate_again(*scenario, *kept);
  } else {
    kept = study::evaluate(*scenario);
  }
  return of(*scenario, *kept, name);
}

Shares evidence_shares(const Setup& setup) {
  Shares shares{};
  if (const auto* scenario = std::get_if<study::Scenario>(&setup)) {
    const study::Answer answer = study::evaluate(*scenario);
    if (const auto* e = std::get_if<infer::InferEstimate>(&answer.outcome)) {
      for (std::size_t i = 0; i < shares.size(); ++i) shares[i] = e->step.step.by_evidence[i].value;
    }
  } else if (const auto* kernels = std::get_if<OperatorSetup>(&setup)) {
    for (const ops::Op& op : kernels->ops) {
      const timing::OpTime time = timing::time_of(op, kernels->cluster, {});
      shares[static_cast<std::size_t>(time.evidence)] += time.total.value;
    }
  }
  return normalised(shares);
}

}  // namespace fathom::validate
