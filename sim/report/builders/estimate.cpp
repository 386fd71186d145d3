#include "report/builders/estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "model/lower.hpp"
#include "report/builders/cells.hpp"
#include "report/builders/estimate_figures.hpp"
#include "report/builders/estimate_workings.hpp"
#include "study/class_memory.hpp"

namespace fathom::report {
namespace {

using infer::InferEstimate;
using lang::say;
using study::OperatorRow;

constexpr double kMilli = 1e-3;
constexpr double kMicro = 1e-6;

double real(std::int64_t value) { return static_cast<double>(value); }

// 4096 reads "4 Ki"; a length that is no multiple of 1024 keeps its digits.
std::string tokens_text(double tokens) {
  const double kibi = tokens / 1024.0;
  const bool whole = kibi >= 1.0 && kibi == static_cast<double>(static_cast<std::int64_t>(kibi));
  return whole ? fmt::format("{:.0f} Ki", kibi) : fmt::format("{:.10g}", tokens);
}

// 128 rather than 128.0: a count that happens to be whole is one.
std::string rounded(double count) {
  const bool whole = count == static_cast<double>(static_cast<std::int64_t>(count));
  return whole ? fmt::format("{:.0f}", count) : format_significant(count);
}

struct WorkText {
  double devices;

  std::string operator()(const infer::DecodeQuery& q) const {
    const std::string sequences = rounded(q.sequences / devices);
    const std::string context = tokens_text(q.context_tokens);
    if (q.draft_tokens == 0) return say("{} sequences/GPU, context {}", sequences, context);
    return say("{} sequences/GPU, context {}, {} drafts accepted with {:g}", sequences, context,
               q.draft_tokens, q.acceptance);
  }
  std::string operator()(const infer::PrefillQuery& q) const {
    std::string text = say("{} prompts/GPU of {} tokens", rounded(q.prompts / devices),
                           tokens_text(q.prompt_tokens));
    if (q.cached_tokens > 0.0) text = say("{}, {} cached", text, tokens_text(q.cached_tokens));
    if (q.chunk_tokens > 0.0) text = say("{}, chunks of {}", text, tokens_text(q.chunk_tokens));
    return text;
  }
};

template <std::size_t N>
Seconds sum(const std::array<Seconds, N>& parts) {
  Seconds total;
  for (const Seconds part : parts) total += part;
  return total;
}

// A schedule without gaps leaves rounding noise of the latency behind.
Seconds exposed(const timing::StepEstimate& step) {
  return step.exposed_communication < 1e-9 * step.latency ? Seconds{} : step.exposed_communication;
}

Seconds serial_time(const timing::StepEstimate& step) { return sum(step.by_bound); }

double evidence_share(const timing::StepEstimate& step, hw::Evidence evidence) {
  return step.by_evidence[static_cast<std::size_t>(evidence)] / sum(step.by_evidence);
}

// Of the step: what waits for a wire, and the rest by what binds the operators of the device.
std::string finding(const InferEstimate& e) {
  const timing::StepEstimate& step = e.step.step;
  const double waiting = exposed(step) / step.latency;
  const auto bound = [&](timing::Bound b) { return step.by_bound[static_cast<std::size_t>(b)]; };
  const Seconds device =
      bound(timing::Bound::compute) + bound(timing::Bound::memory) + bound(timing::Bound::overhead);
  const auto part = [&](timing::Bound b) {
    return share_text(device.value > 0.0 ? (1.0 - waiting) * (bound(b) / device) : 0.0);
  };
  const bool decode = e.phase == model::Phase::decode;
  return say(
      "{} {} (compute {}, memory {}, overhead {}, exposed network {}) · {} of it from measured "
      "curves",
      decode ? "TPOT" : "TTFT", format_seconds(e.latency), part(timing::Bound::compute),
      part(timing::Bound::memory), part(timing::Bound::overhead), share_text(waiting),
      share_text(evidence_share(step, hw::Evidence::measured)));
}

KeyFigures key_figures(const InferEstimate& e) {
  const timing::StepEstimate& step = e.step.step;
  const bool decode = e.phase == model::Phase::decode;
  KeyFigures out;
  out.figures.push_back({decode ? "TPOT" : "TTFT", e.latency.value / kMilli, "ms",
                         decode ? "time per output token" : "without queueing",
                         anchor(FigureAnchor::latency)});
  out.figures.push_back({"throughput", e.per_device.value, "tokens/s/GPU",
                         decode ? "output tokens" : "prompt tokens computed",
                         anchor(FigureAnchor::throughput)});
  if (decode) {
    out.figures.push_back({"speed", e.per_user.value, "tokens/s/user",
                           say("tokens per step: {:g}", e.accepted_tokens),
                           anchor(FigureAnchor::speed)});
  }
  out.figures.push_back({"exposed communication", exposed(step).value / kMilli, "ms",
                         say("{} of the step", share_text(exposed(step) / step.latency)),
                         anchor(FigureAnchor::exposed)});
  out.figures.push_back({"step", e.step.latency.value / kMilli, "ms", "first stage in, last out",
                         anchor(FigureAnchor::step)});
  for (std::size_t i = 0; i < hw::kEvidenceCount; ++i) {
    const auto evidence = static_cast<hw::Evidence>(i);
    out.figures.push_back({say("{} efficiencies", hw::name(evidence)),
                           100.0 * evidence_share(step, evidence), "%", "of operator time",
                           anchor(FigureAnchor::evidence)});
  }
  return out;
}

Table stage_table(const std::vector<OperatorRow>& rows) {
  std::map<std::pair<model::Stage, mapping::Lane>, std::pair<Seconds, double>> sums;
  for (const OperatorRow& row : rows) {
    auto& [time, share] = sums[{row.node.stage, row.node.lane}];
    time += row.calls * row.node.time.total;
    share += row.share;
  }
  Table table{.title = "Operator time by stage of a layer and lane, before overlap",
              .columns = {text_column("stage"), text_column("lane"), number_column("time", "ms"),
                          number_column("share", "", NumberFormat::percent)}};
  for (const auto& [key, value] : sums) {
    table.rows.push_back({model::name(key.first), mapping::name(key.second),
                          value.first.value / kMilli, share_cell(value.second)});
  }
  return table;
}

Table lane_table(const timing::StepEstimate& step) {
  Table table{.title = "Lanes of the slowest pipeline stage",
              .columns = {text_column("lane"), number_column("busy", "ms"),
                          number_column("utilisation", "", NumberFormat::percent)}};
  for (std::size_t i = 0; i < mapping::kLaneCount; ++i) {
    if (step.lane_busy[i].value == 0.0) continue;
    table.rows.push_back({mapping::name(static_cast<mapping::Lane>(i)),
                          step.lane_busy[i].value / kMilli, step.lane_busy[i] / step.latency});
  }
  return table;
}

// The same kernels on the same half batches: only the order differs.
Table overlap_table(const timing::StepEstimate& step) {
  const Seconds busiest = *std::ranges::max_element(step.lane_busy);
  const auto row = [&](std::string_view label, Seconds time) {
    return std::vector<Cell>{label, time.value / kMilli, time / step.latency};
  };
  Table table{.title = "What two-batch overlap gains",
              .columns = {text_column("schedule"), number_column("time", "ms"),
                          number_column("of scheduled", "", NumberFormat::percent)}};
  table.rows = {row("perfect overlap: the busiest lane", busiest), row("scheduled", step.latency),
                row("no overlap: every operator in turn", serial_time(step))};
  return table;
}

Table operator_table(const std::vector<OperatorRow>& rows,
                     const std::vector<std::string>& anchors) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](std::size_t i) { return rows[i].share; });
  Table table{
      .title = "Operators of one rank, most expensive first (one call; total over the step)",
      .columns = {text_column("block"), text_column("operator"), text_column("kind"),
                  number_column("calls", "", NumberFormat::exact), number_column("work", "GFLOP"),
                  number_column("weights", "MB"), number_column("activations", "MB"),
                  number_column("KV", "MB"), number_column("wire", "MB"),
                  number_column("roof", "us"), number_column("call", "us"),
                  number_column("total", "ms"), number_column("share", "", NumberFormat::percent),
                  text_column("bound"), text_column("lane"), text_column("efficiency"),
                  text_column("evidence"), text_column("fidelity")}};
  for (const std::size_t i : order) {
    const OperatorRow& row = rows[i];
    table.anchors.push_back(anchors[i]);
    const ops::OpCost& cost = row.cost;
    const timing::OpTime& time = row.node.time;
    const Mark mark = table.rows.empty() ? Mark::bound : Mark::none;
    table.rows.push_back(
        {row.block, row.name, row.kind, row.calls, cost.flops.value / 1e9,
         cost.weight_read.value / 1e6, (cost.act_read + cost.act_write).value / 1e6,
         (cost.kv_read + cost.kv_write).value / 1e6, row.wire_bytes.value / 1e6,
         time.ideal.value / kMicro, time.total.value / kMicro,
         row.calls * time.total.value / kMilli, share_cell(row.share, mark),
         Cell{timing::name(time.bound), mark}, mapping::name(row.node.lane), hw::name(time.family),
         hw::name(time.evidence), timing::name(time.fidelity)});
  }
  return table;
}

Table memory_table(const study::Scenario& scenario, const study::Answer& answer) {
  Table table{
      .title = "Device memory per rank class",
      .columns = {text_column("rank class"), number_column("ranks", "", NumberFormat::exact),
                  number_column("weights", "GiB"), number_column("KV cache", "GiB"),
                  number_column("activations", "GiB"), number_column("buffers", "GiB"),
                  number_column("used", "GiB"), number_column("available", "GiB"),
                  number_column("sequences", "per replica"),
                  number_column("would fit", "per replica")}};
  const auto gib = [](Bytes bytes) { return bytes.value / 1073741824.0; };
  const std::vector<mapping::MemoryFootprint> memory = study::class_memory(scenario, answer);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const mapping::MemoryFootprint& m = memory[i];
    const mapping::RankClass& ranks = answer.model.classes[i];
    table.rows.push_back({ranks.name, ranks.ranks, gib(m.weights), gib(m.kv()), gib(m.activations),
                          gib(m.buffers), gib(m.used()), gib(m.available), m.sequences,
                          m.max_sequences()});
  }
  return table;
}

void add_mla_note(Document& page, const study::Answer& answer) {
  const std::string form = study::mla_form(answer);
  if (form.empty()) return;
  for (const model::LayerSpec& layer : answer.model.arch.kinds) {
    const auto* mla = std::get_if<model::MlaSpec>(&layer.attention);
    if (mla == nullptr) continue;
    page.blocks.emplace_back(
        Note{NoteKind::info,
             say("MLA runs in the {} form; a chunk on a long prefix costs fewer FLOPs in "
                 "the naive form above {} tokens",
                 form, format_significant(model::mla_crossover_tokens(*mla), 4))});
    return;
  }
}

void add_assumptions(Document& page, const study::Scenario& scenario, const study::Answer& answer) {
  for (const std::string& note : answer.notes) {
    page.blocks.emplace_back(Note{NoteKind::assumption, note});
  }
  for (const std::string& part : scenario.model.arch.unmodelled) {
    page.blocks.emplace_back(Note{NoteKind::warning, say("not modelled: {}", part)});
  }
  if (!scenario.cluster.assumed.empty()) {
    page.blocks.emplace_back(Note{
        NoteKind::assumption, say("{}: {} assumed, or their documents were not opened",
                                  scenario.cluster.id, fmt::join(scenario.cluster.assumed, ", "))});
  }
  SourceRows sources;
  sources.add(scenario.model.arch.name, scenario.model.source);
  sources.add(scenario.cluster.id, scenario.cluster.sources);
  sources.add("efficiencies", scenario.cluster.efficiency.sources);
  page.blocks.emplace_back(sources_block(std::move(sources)));
}

}  // namespace

std::string scenario_line(const study::Scenario& s) {
  const std::int64_t devices = mapping::devices(s.plan);
  const std::int64_t node = s.cluster.devices_per_node;
  const std::string machine = devices > node && devices % node == 0 && node > 1
                                  ? fmt::format("{} × {} {}", devices / node, node, s.cluster.id)
                                  : fmt::format("{} × {}", devices, s.cluster.id);
  const bool decode = std::holds_alternative<infer::DecodeQuery>(s.workload);
  return say("{} · {} · {}, {}, {}", s.model.arch.name, decode ? "decode" : "prefill", machine,
             mapping::describe(s.plan), std::visit(WorkText{real(devices)}, s.workload));
}

Document estimate_page(const study::Scenario& scenario, const study::Answer& answer) {
  const auto& estimate = std::get<InferEstimate>(answer.outcome);
  const std::vector<OperatorRow> rows = study::operator_rows(answer);
  Document page{.title = scenario_line(scenario), .finding = finding(estimate)};
  if (!scenario.name.empty()) page.blocks.emplace_back(Paragraph{scenario.name});
  page.blocks.emplace_back(key_figures(estimate));
  const std::vector<std::string> anchors = operator_anchors(rows);
  page.blocks.emplace_back(Heading{2, "Where the time goes", "time"});
  page.blocks.emplace_back(step_timeline(answer));
  page.blocks.emplace_back(time_flame(rows, anchors));
  page.blocks.emplace_back(operator_table(rows, anchors));
  page.blocks.emplace_back(stage_table(rows));
  page.blocks.emplace_back(lane_table(estimate.step.step));
  if (scenario.plan.two_batch_overlap) {
    page.blocks.emplace_back(overlap_table(estimate.step.step));
  }
  page.blocks.emplace_back(Heading{2, "Memory", "memory"});
  page.blocks.emplace_back(memory_stack(scenario, answer));
  page.blocks.emplace_back(memory_table(scenario, answer));
  if (scenario.plan.pp > 1) {
    page.blocks.emplace_back(
        Note{NoteKind::info,
             "operators are those of all pipeline stages together; lanes those of "
             "the slowest one"});
  }
  page.blocks.emplace_back(Heading{2, "Workings, assumptions and sources", "workings"});
  add_mla_note(page, answer);
  page.blocks.emplace_back(estimate_workings(answer, rows, anchors));
  add_assumptions(page, scenario, answer);
  return page;
}

}  // namespace fathom::report
