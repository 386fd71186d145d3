#include "report/builders/capacity_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::ClusterPlan;
using study::PhasePoint;
using study::Serving;

constexpr double kMilli = 1e-3;
constexpr double kGiB = 1073741824.0;

bool apart(const ClusterPlan& p) { return p.serving == Serving::disaggregated; }

std::string serving_text(const ClusterPlan& p) { return std::string(study::name(p.serving)); }

double per_replica(const PhasePoint& p) { return p.batch / static_cast<double>(p.plan.dp); }

std::string batch_text(const PhasePoint& p) {
  return fmt::format("{:g} × {}", per_replica(p), p.plan.dp);
}

// Kernels are named where the search had others to choose from.
std::string plan_text(const mapping::Plan& plan) {
  constexpr std::array<std::string_view, 5> kernels{"", "throughput", "low-latency", "hybrid",
                                                    "gather"};
  const std::string_view kernel = kernels[static_cast<std::size_t>(plan.all_to_all)];
  if (kernel.empty()) return mapping::describe(plan);
  return fmt::format("{} {}", mapping::describe(plan), lang::tr(kernel));
}

Cell money(const std::optional<study::Cost>& cost, double study::Cost::*field) {
  return cost ? Cell{(*cost).*field} : Cell{"price unknown"};
}

template <std::size_t N>
double share_of(const std::array<Seconds, N>& parts, std::size_t i) {
  Seconds total;
  for (const Seconds part : parts) total += part;
  return total.value > 0.0 ? parts[i] / total : 0.0;
}

std::string_view cause_text(study::Refusal::Cause cause) {
  constexpr std::array<std::string_view, 3> texts{"does not divide the model",
                                                  "exceeds the machine", "does not fit in memory"};
  return texts[static_cast<std::size_t>(cause)];
}

std::vector<Cell> time_row(const std::string& name, const char* phase, const PhasePoint& point) {
  const timing::StepEstimate& step = point.estimate.step.step;
  std::vector<Cell> row{name, phase, point.estimate.step.latency.value / kMilli};
  std::size_t largest = 0;
  for (std::size_t b = 1; b < timing::kBoundCount; ++b) {
    if (step.by_bound[b] > step.by_bound[largest]) largest = b;
  }
  for (std::size_t b = 0; b < timing::kBoundCount; ++b) {
    row.push_back(share_cell(share_of(step.by_bound, b), b == largest ? Mark::bound : Mark::none));
  }
  row.push_back(share_cell(step.exposed_communication / step.latency));
  return row;
}

std::vector<Cell> evidence_row(const std::string& name, const char* phase,
                               const PhasePoint& point) {
  std::vector<Cell> row{name, phase};
  for (std::size_t e = 0; e < hw::kEvidenceCount; ++e) {
    row.push_back(share_cell(share_of(point.estimate.step.step.by_evidence, e)));
  }
  return row;
}

std::string row_name(const NamedPlan& p) {
  return say("{}, {}", p.hardware, serving_text(*p.plan));
}

}  // namespace

std::string decode_plan_text(const PhasePoint& p) {
  const std::string plan = plan_text(p.plan);
  return p.draft_tokens > 0 ? say("{} +{} drafts", plan, p.draft_tokens) : plan;
}

std::vector<Rank> ranks(const std::vector<NamedPlan>& plans) {
  std::vector<Rank> out;
  for (const NamedPlan& p : plans) {
    const std::string& prefill = p.prefill_hardware;
    const std::string& decode = p.decode_hardware;
    if (!apart(*p.plan)) {
      out.push_back({say("{} both", decode), decode, &p.plan->decode_memory});
      continue;
    }
    const bool pair = prefill != decode;
    out.push_back({pair ? say("{} prefill (→ {})", prefill, decode) : say("{} prefill", prefill),
                   prefill, &p.plan->prefill_memory});
    out.push_back({pair ? say("{} decode ({} →)", decode, prefill) : say("{} decode", decode),
                   decode, &p.plan->decode_memory});
  }
  return out;
}

std::vector<NamedPlan> best_plans(const study::PlanResult& result) {
  const study::PlanRequest& r = result.request;
  std::vector<NamedPlan> out;
  const ClusterPlan* smallest = study::smallest_cluster(result);
  const ClusterPlan* cheapest = study::cheapest_cluster(result);
  const ClusterPlan* fastest = study::fastest_cluster(result);
  const auto add = [&](const ClusterPlan& plan) {
    out.push_back({.hardware = study::hardware_name(r, plan),
                   .prefill_hardware = r.hardware[plan.prefill_hardware].id,
                   .decode_hardware = r.hardware[plan.hardware].id,
                   .precision = study::precisions(r)[plan.decode.precision].name,
                   .plan = &plan,
                   .smallest = &plan == smallest,
                   .cheapest = &plan == cheapest,
                   .fastest = &plan == fastest});
  };
  const auto is_winner = [&](const ClusterPlan& plan) {
    return &plan == smallest || &plan == cheapest || &plan == fastest;
  };
  for (const study::HardwareResult& h : result.hardware) {
    for (const study::ServingResult& s : h.serving) {
      for (const ClusterPlan& plan : s.candidates) {
        if (&plan == &s.candidates.front() || is_winner(plan)) add(plan);
      }
    }
  }
  for (const study::PairResult& pair : result.pairs) {
    for (const ClusterPlan& plan : pair.serving.candidates) {
      if (is_winner(plan)) add(plan);
    }
  }
  return out;
}

std::string instances_text(std::int64_t instances, const PhasePoint& point) {
  const std::int64_t each = mapping::devices(point.plan);
  const std::string cut = each > 1 ? fmt::format(" ({})", decode_plan_text(point)) : std::string();
  return fmt::format("{} × {}{}", instances, each, cut);
}

Table shape_table(const std::vector<NamedPlan>& plans) {
  Table table{
      .title = "The smallest cluster of each kind: instances × devices (plan)",
      .columns = {text_column("hardware"), text_column("serving"),
                  number_column("devices", "", NumberFormat::exact),
                  number_column("nodes", "", NumberFormat::exact), text_column("prefill instances"),
                  text_column("prompts/replica × replicas"), text_column("decode instances"),
                  text_column("sequences/replica × replicas")}};
  for (const NamedPlan& p : plans) {
    const study::Sizing& s = p.plan->size;
    table.rows.push_back(
        {p.hardware, serving_text(*p.plan),
         Cell{p.plan->devices, p.smallest ? Mark::best : Mark::none}, p.plan->nodes,
         apart(*p.plan) ? instances_text(s.prefill_instances, p.plan->prefill)
                        : say("the same ({})", plan_text(p.plan->prefill.plan)),
         batch_text(p.plan->prefill), instances_text(s.decode_instances, p.plan->decode),
         batch_text(p.plan->decode)});
  }
  if (std::ranges::any_of(plans, [](const NamedPlan& p) { return !p.precision.empty(); })) {
    table.columns.push_back(text_column("formats"));
    for (std::size_t i = 0; i < plans.size(); ++i) table.rows[i].emplace_back(plans[i].precision);
  }
  return table;
}

Table delivery_table(const std::vector<NamedPlan>& plans) {
  Table table{
      .title = "What each delivers",
      .columns = {text_column("hardware"), text_column("serving"), number_column("TTFT", "ms"),
                  number_column("TPOT", "ms"), number_column("speed", "tokens/s/user"),
                  number_column("output", "tokens/s/GPU"),
                  number_column("input + output", "tokens/s/GPU")}};
  for (const NamedPlan& p : plans) {
    const study::Sizing& s = p.plan->size;
    table.rows.push_back(
        {p.hardware, serving_text(*p.plan), s.ttft.value / kMilli, s.tpot.value / kMilli,
         Cell{p.plan->tokens_per_s_per_user, p.fastest ? Mark::best : Mark::none},
         p.plan->output_tokens_per_s_per_device, p.plan->total_tokens_per_s_per_device});
  }
  return table;
}

Table load_table(const std::vector<NamedPlan>& plans) {
  Table table{
      .title = "How busy each is",
      .columns = {text_column("hardware"), text_column("serving"),
                  number_column("served", "requests/s"), number_column("supported", "requests/s"),
                  number_column("busy with prefill", "", NumberFormat::percent),
                  number_column("busy with decode", "", NumberFormat::percent)}};
  for (const NamedPlan& p : plans) {
    const study::Sizing& s = p.plan->size;
    // an aggregated instance is busy with prompts for one share and with answers for the rest
    const double decode_busy =
        apart(*p.plan) ? s.decode_utilisation : s.decode_utilisation - s.prefill_utilisation;
    table.rows.push_back({p.hardware, serving_text(*p.plan), s.requests_per_s,
                          s.requests_per_s_supported, s.prefill_utilisation, decode_busy});
  }
  return table;
}

Table cost_table(const std::vector<NamedPlan>& plans) {
  Table table{.title = "What each costs at the served rate",
              .columns = {text_column("hardware"), text_column("serving"),
                          number_column("cluster", "USD/h"), number_column("input", "USD/M tokens"),
                          number_column("output", "USD/M tokens"),
                          number_column("input + output", "USD/M tokens"),
                          number_column("share of input", "", NumberFormat::percent)}};
  using study::Cost;
  for (const NamedPlan& p : plans) {
    const auto& cost = p.plan->cost;
    Cell blended = money(cost, &Cost::usd_per_million_blended);
    if (p.cheapest) blended.mark = Mark::best;
    table.rows.push_back({p.hardware, serving_text(*p.plan), money(cost, &Cost::usd_per_hour),
                          money(cost, &Cost::usd_per_million_input),
                          money(cost, &Cost::usd_per_million_output), blended,
                          money(cost, &Cost::input_share)});
  }
  return table;
}

Table limits_table(const std::vector<NamedPlan>& plans) {
  Table table{.title = "What keeps each from being smaller",
              .columns = {text_column("hardware"), text_column("serving"), text_column("phase"),
                          number_column("batch used", "", NumberFormat::exact),
                          number_column("largest allowed", "", NumberFormat::exact),
                          text_column("limited by"), text_column("because")}};
  for (const NamedPlan& p : plans) {
    const auto add = [&](const char* phase, const PhasePoint& point, const study::Limit& limit) {
      table.rows.push_back({p.hardware, serving_text(*p.plan), phase, point.batch, limit.batch,
                            Cell{study::name(limit.kind), Mark::bound}, limit.text});
    };
    add("prefill", p.plan->prefill, p.plan->prefill_limit);
    add("decode", p.plan->decode, p.plan->decode_limit);
    table.rows.push_back(
        {p.hardware, serving_text(*p.plan), "instances", "", "", "", p.plan->granularity});
  }
  return table;
}

Table time_table(const std::vector<NamedPlan>& plans) {
  Table table{
      .title = "What binds the operators of one step, by time",
      .columns = {text_column("cluster"), text_column("phase"), number_column("step", "ms")}};
  for (std::size_t b = 0; b < timing::kBoundCount; ++b) {
    table.columns.push_back(number_column(std::string(timing::name(static_cast<timing::Bound>(b))),
                                          "", NumberFormat::percent));
  }
  table.columns.push_back(number_column("exposed network", "", NumberFormat::percent));
  for (const NamedPlan& p : plans) {
    table.rows.push_back(time_row(row_name(p), "prefill", p.plan->prefill));
    table.rows.push_back(time_row(row_name(p), "decode", p.plan->decode));
  }
  return table;
}

Table evidence_table(const std::vector<NamedPlan>& plans) {
  Table table{.title = "What the efficiencies behind that time rest on",
              .columns = {text_column("cluster"), text_column("phase")}};
  for (std::size_t e = 0; e < hw::kEvidenceCount; ++e) {
    table.columns.push_back(number_column(std::string(hw::name(static_cast<hw::Evidence>(e))), "",
                                          NumberFormat::percent));
  }
  for (const NamedPlan& p : plans) {
    table.rows.push_back(evidence_row(row_name(p), "prefill", p.plan->prefill));
    table.rows.push_back(evidence_row(row_name(p), "decode", p.plan->decode));
  }
  return table;
}

Table memory_table(const std::vector<NamedPlan>& plans) {
  Table table{.title = "Memory of the fullest rank",
              .columns = {text_column("rank"), number_column("weights", "GiB"),
                          number_column("KV cache", "GiB"), number_column("activations", "GiB"),
                          number_column("buffers", "GiB"), number_column("usable", "GiB"),
                          number_column("used", "", NumberFormat::percent)}};
  for (const Rank& rank : ranks(plans)) {
    const mapping::MemoryFootprint& m = *rank.memory;
    table.rows.push_back({rank.name, m.weights.value / kGiB, m.kv().value / kGiB,
                          m.activations.value / kGiB, m.buffers.value / kGiB,
                          m.available.value / kGiB, m.used() / m.available});
  }
  return table;
}

Table unreachable_table(const study::PlanResult& result) {
  Table table{
      .title = "Out of reach: the best each can do",
      .columns = {text_column("hardware"), text_column("serving"), number_column("best TTFT", "ms"),
                  number_column("best TPOT", "ms"), text_column("why")}};
  const auto best = [](const std::optional<Seconds>& time) {
    return time ? Cell{time->value / kMilli} : Cell{"-"};
  };
  for (const study::HardwareResult& h : result.hardware) {
    for (const study::ServingResult& s : h.serving) {
      if (s.unreachable.empty()) continue;
      table.rows.push_back({result.request.hardware[h.hardware].id, study::name(s.serving),
                            best(s.best_ttft), best(s.best_tpot), s.unreachable});
    }
  }
  return table;
}

Table candidates_table(const study::PlanResult& result) {
  Table table{
      .title = "Candidates that meet the targets, smallest first, with the cheapest and fastest",
      .columns = {text_column("hardware"), text_column("serving"),
                  number_column("devices", "", NumberFormat::exact), text_column("prefill"),
                  text_column("decode"), number_column("decode batch", "", NumberFormat::exact),
                  number_column("TTFT", "ms"), number_column("TPOT", "ms"),
                  number_column("supported", "requests/s"), number_column("cost", "USD/M tokens")}};
  const std::vector<study::NamedPrecision> formats = study::precisions(result.request);
  if (formats.size() > 1) table.columns.push_back(text_column("formats"));
  const auto add = [&](const study::ServingResult& s) {
    for (const ClusterPlan& p : s.candidates) {
      const std::string prefill = apart(p) ? instances_text(p.size.prefill_instances, p.prefill)
                                           : plan_text(p.prefill.plan);
      table.rows.push_back({study::hardware_name(result.request, p), serving_text(p), p.devices,
                            prefill, instances_text(p.size.decode_instances, p.decode),
                            p.decode.batch, p.size.ttft.value / kMilli, p.size.tpot.value / kMilli,
                            p.size.requests_per_s_supported,
                            money(p.cost, &study::Cost::usd_per_million_blended)});
      if (formats.size() > 1) table.rows.back().emplace_back(formats[p.decode.precision].name);
    }
  };
  for (const study::HardwareResult& h : result.hardware) {
    for (const study::ServingResult& s : h.serving) add(s);
  }
  for (const study::PairResult& pair : result.pairs) add(pair.serving);
  return table;
}

Table refusals_table(const study::PlanResult& result) {
  Table table{
      .title = "Plans that cannot run",
      .columns = {text_column("hardware"), text_column("phase"), text_column("cause"),
                  number_column("plans", "", NumberFormat::exact), text_column("for example")}};
  for (const study::HardwareResult& h : result.hardware) {
    std::map<std::pair<std::string, study::Refusal::Cause>, std::pair<int, std::string>> groups;
    for (const study::Refusal& r : h.refused) {
      auto& [count, example] = groups[{r.phase, r.cause}];
      if (++count == 1) example = say("{}: {}", mapping::describe(r.plan), r.reason);
    }
    for (const auto& [key, group] : groups) {
      table.rows.push_back({result.request.hardware[h.hardware].id, key.first,
                            cause_text(key.second), group.first, group.second});
    }
  }
  return table;
}

}  // namespace fathom::report
