#include "report/builders/estimate_workings.hpp"

#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"
#include "report/builders/operator_working.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using infer::InferEstimate;
using lang::say;
using study::OperatorRow;

std::string rate_text(TokensPerSecond rate) { return format_significant(rate.value, 4); }

Seconds computing(const timing::StepEstimate& step) {
  return step.lane_busy[static_cast<std::size_t>(mapping::Lane::compute)];
}

Working latency(const InferEstimate& e, std::string_view prefix) {
  if (e.phase == model::Phase::decode)
    return {"",
            "TPOT",
            {{"formula", "time between two steps' ends / tokens per step and sequence"},
             {"numbers put in",
              fmt::format("{} / {} = {}", format_seconds(e.step.cycle),
                          fmt::format("{:.4g}", e.accepted_tokens), format_seconds(e.latency))},
             {"tokens per step", "1 + p + p² + …, one term per draft, p its acceptance"},
             {"step", "see its own working", anchor(FigureAnchor::step, prefix)}}};
  return {
      "",
      "TTFT",
      {{"formula", "time between steps' ends of all chunks but the last + the last one's step"},
       {"numbers put in", fmt::format("{} + {} = {}", format_seconds(e.latency - e.step.latency),
                                      format_seconds(e.step.latency), format_seconds(e.latency))},
       {"not in it", "queueing, tokenising, the network to the user"}}};
}

Working throughput(const InferEstimate& e) {
  const bool decode = e.phase == model::Phase::decode;
  Working out{.name = "throughput"};
  if (decode) {
    out.lines = {{"formula", "sequences × tokens per step / time between steps' ends / GPUs"},
                 {"numbers put in",
                  say("{} / {} / {} = {} tokens/s/GPU", fmt::format("{:.6g}", e.tokens_per_step),
                      format_seconds(e.step.cycle), e.devices, rate_text(e.per_device))}};
  } else {
    const Seconds busy =
        Tokens{e.tokens_per_step} / (e.per_device * static_cast<double>(e.devices));
    out.lines = {{"formula", "prompt tokens computed / time the slowest stage is busy / GPUs"},
                 {"numbers put in",
                  say("{} / {} / {} = {} tokens/s/GPU", fmt::format("{:.6g}", e.tokens_per_step),
                      format_seconds(busy), e.devices, rate_text(e.per_device))}};
  }
  return out;
}

Working speed(const InferEstimate& e) {
  return {"",
          "speed",
          {{"formula", "tokens per step and sequence / time between steps' ends"},
           {"numbers put in",
            say("{} / {} = {} tokens/s/user", fmt::format("{:.4g}", e.accepted_tokens),
                format_seconds(e.step.cycle), rate_text(e.per_user))}}};
}

Working exposed(const InferEstimate& e) {
  const timing::StepEstimate& step = e.step.step;
  return {"",
          "exposed communication",
          {{"formula", "step of the slowest stage − time its compute lane is busy"},
           {"numbers put in", fmt::format("{} − {} = {}", format_seconds(step.latency),
                                          format_seconds(computing(step)),
                                          format_seconds(step.exposed_communication))},
           {"from", "the schedule of all layers: the timeline shows some of them"}}};
}

Working step(const study::Answer& answer, const InferEstimate& e) {
  const infer::StepModel& m = answer.model;
  Working out{.name = "step"};
  out.lines.push_back(
      {"formula",
       "layers as scheduled + embedding and head, of every pipeline stage; + transfers "
       "between stages + the host's time per step"});
  const Seconds stages = e.step.latency - e.step.pipeline_transfer - m.host.per_step;
  out.lines.push_back({"numbers put in", fmt::format("{} + {} + {} = {}", format_seconds(stages),
                                                     format_seconds(e.step.pipeline_transfer),
                                                     format_seconds(m.host.per_step),
                                                     format_seconds(e.step.latency))});
  const Seconds launches = e.step.step.launches * m.host.per_launch;
  out.lines.push_back({"launches", say("{:g} kernels × {} on the host = {}: a lower bound of "
                                       "a stage",
                                       e.step.step.launches, format_seconds(m.host.per_launch),
                                       format_seconds(launches))});
  out.lines.push_back({"order", m.plan.two_batch_overlap
                                    ? "two micro-batches share the lanes"
                                    : "operators of a layer one after the other; shared experts "
                                      "beside the dispatch"});
  return out;
}

Working evidence(const InferEstimate& e) {
  Working out{.name = "evidence"};
  out.lines.push_back({"formula",
                       "operator time whose efficiency is of that kind / all operator "
                       "time, before overlap"});
  Seconds all;
  for (const Seconds time : e.step.step.by_evidence) all += time;
  for (std::size_t i = 0; i < hw::kEvidenceCount; ++i) {
    const Seconds time = e.step.step.by_evidence[i];
    out.lines.push_back({std::string(hw::name(static_cast<hw::Evidence>(i))),
                         fmt::format("{} / {} = {}", format_seconds(time), format_seconds(all),
                                     share_text(time / all))});
  }
  return out;
}

}  // namespace

std::string anchor(FigureAnchor figure, std::string_view prefix) {
  constexpr std::array<std::string_view, 6> names{"latency", "throughput", "speed",
                                                  "exposed", "step",       "evidence"};
  return fmt::format("{}-figure-{}", prefix, names[static_cast<std::size_t>(figure)]);
}

std::vector<std::string> operator_anchors(const std::vector<OperatorRow>& rows,
                                          std::string_view prefix) {
  std::vector<std::string> out;
  std::set<std::string> taken;
  for (const OperatorRow& row : rows) {
    const std::string name =
        fmt::format("{}-{}-{}", prefix, slug(row.block, '-'), slug(row.name, '-'));
    std::string unique = name;
    for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}-{}", name, i);
    out.push_back(unique);
  }
  return out;
}

Workings estimate_workings(const study::Answer& answer, const std::vector<OperatorRow>& rows,
                           const std::vector<std::string>& anchors, std::string_view prefix) {
  const auto& estimate = std::get<InferEstimate>(answer.outcome);
  const infer::StepModel& m = answer.model;
  Workings out{.summary = "How each number came about"};
  const auto add = [&](FigureAnchor figure, Working working) {
    working.anchor = anchor(figure, prefix);
    out.items.push_back(std::move(working));
  };
  add(FigureAnchor::latency, latency(estimate, prefix));
  add(FigureAnchor::throughput, throughput(estimate));
  if (estimate.phase == model::Phase::decode) add(FigureAnchor::speed, speed(estimate));
  add(FigureAnchor::exposed, exposed(estimate));
  add(FigureAnchor::step, step(answer, estimate));
  add(FigureAnchor::evidence, evidence(estimate));
  const std::vector<timing::Trace> traces =
      timing::traces(m.mapped, m.cluster, {.overlap = m.plan.two_batch_overlap});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // rows and nodes are in one order: study::operator_rows()
    out.items.push_back({anchors[i], fmt::format("{}: {}", rows[i].block, rows[i].name),
                         operator_working({rows[i], m.mapped.nodes[i].op, traces[i], m.cluster})});
  }
  return out;
}

}  // namespace fathom::report
