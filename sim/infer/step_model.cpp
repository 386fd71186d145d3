#include "infer/step_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lang/say.hpp"
#include "timing/roofline.hpp"

namespace fathom::infer {
namespace {

using lang::say;

// A device without matrix units for a format still stores it and multiplies in BF16 after widening.
void fall_back(Dtype& input, std::string_view what, const hw::DeviceProfile& device,
               std::vector<std::string>* notes) {
  const Math wanted = math_of(input);
  if (device.peak_of(wanted).value > 0.0) return;
  const bool fp8_works = wanted == Math::fp4 && device.peak_of(Math::fp8).value > 0.0;
  if (notes != nullptr) {
    notes->push_back(say("{} has no {} arithmetic: {} products run in {} on widened weights",
                         device.id, name(wanted), what, fp8_works ? "fp8" : "bf16"));
  }
  input = fp8_works ? Dtype::fp8_block : Dtype::bf16;
}

// Index keys widen like weights do (timing/roofline.cpp); only the report has to be told.
void note_index_scores(const model::ArchSpec& arch, const model::KvLayout& layout,
                       const hw::DeviceProfile& device, std::vector<std::string>* notes) {
  const bool indexed = std::ranges::any_of(arch.kinds, [](const model::LayerSpec& layer) {
    const auto* mla = std::get_if<model::MlaSpec>(&layer.attention);
    const auto* compressed = std::get_if<model::CompressedSpec>(&layer.attention);
    return (mla != nullptr && mla->indexer.index_topk > 0) ||
           (compressed != nullptr && compressed->indexer.index_topk > 0);
  });
  const Math wanted = model::index_math(layout);
  if (!indexed || notes == nullptr || wanted == Math::bf16) return;
  if (device.peak_of(wanted).value > 0.0) return;
  notes->push_back(
      say("{} has no {} arithmetic: index scores run on widened keys", device.id, name(wanted)));
}

void prepare(StepModel& m, const model::StepShape& step) {
  if (!m.programs.empty() && m.prepared_phase == step.phase &&
      m.prepared_drafts == step.draft_tokens)
    return;
  m.programs.clear();
  for (const mapping::RankClass& c : m.classes)
    m.programs.push_back(timing::stage_program(c, m.mapped));
  m.prepared_phase = step.phase;
  m.prepared_drafts = step.draft_tokens;
}

// Pipeline stages hand over the residual stream of one piece.
Seconds transfer_time(const StepModel& m) {
  if (m.plan.pp == 1) return Seconds{};
  const double width = static_cast<double>(m.arch.hidden_size * m.arch.hc_mult);
  const ops::Collective send{.kind = ops::CollectiveKind::send_recv,
                             .group = {2, mapping::ranks_per_stage(m.plan)},
                             .payload = model::tokens(m.local) * width * size_of(Dtype::bf16) /
                                        static_cast<double>(m.plan.tp)};
  return timing::time_of(ops::Op{send}, m.cluster, {}).total;
}

}  // namespace

StepModel make_step_model(model::ArchSpec arch, hw::Cluster cluster, const mapping::Plan& plan,
                          model::LowerOptions options, std::vector<std::string>* notes) {
  fall_back(options.precision.linear_input, "projection", cluster.device, notes);
  fall_back(options.precision.experts_input, "expert", cluster.device, notes);
  note_index_scores(arch, options.precision.kv, cluster.device, notes);
  StepModel m;
  m.classes = mapping::rank_classes(arch, plan);
  for (const mapping::RankClass& c : m.classes) {
    m.weights.push_back(mapping::weight_bytes(arch, plan, options.precision, c, false));
    m.weights_mtp.push_back(mapping::weight_bytes(arch, plan, options.precision, c, true));
  }
  m.arch = std::move(arch);
  m.cluster = std::move(cluster);
  m.plan = plan;
  m.options = options;
  return m;
}

StepTime evaluate(StepModel& m, const model::StepShape& step) {
  const bool decode = step.phase == model::Phase::decode;
  const std::int64_t micro = m.plan.two_batch_overlap ? 2 : 1;
  const std::int64_t in_flight = decode ? m.plan.pp : 1;
  mapping::local_step(step, m.plan, micro * in_flight, m.local);
  model::lower(m.arch, m.local, m.options, m.graph);
  mapping::map(m.graph,
               {.arch = m.arch,
                .plan = m.plan,
                .cluster = m.cluster,
                .precision = m.options.precision,
                .phase = step.phase,
                .micro_batches = micro},
               m.mapped);
  prepare(m, step);
  // two attention halves and a dispatch to hide exist in decode only; a prompt's long kernels
  // interleave greedily
  const timing::TimingOptions timing_options{
      .overlap = micro == 2,
      .order = decode && m.plan.fixed_order ? timing::Order::half_layer : timing::Order::greedy};
  timing::time_graph(m.mapped, m.cluster, timing_options, m.timed, m.remembered);

  StepTime out;
  out.micro_batches = static_cast<double>(in_flight);
  for (std::size_t i = 0; i < m.classes.size(); ++i) {
    timing::StepEstimate stage =
        timing::summarize(m.timed, m.programs[i], static_cast<int>(micro), timing_options);
    stage.latency = std::max(stage.latency, stage.launches * m.host.per_launch);
    out.latency += static_cast<double>(m.classes[i].stages) * stage.latency;
    if (stage.latency > out.step.latency) out.step = stage;
  }
  const Seconds hop = transfer_time(m);
  out.pipeline_transfer = static_cast<double>(m.plan.pp - 1) * hop;
  out.latency += out.pipeline_transfer + m.host.per_step;
  // a full pipeline finishes one piece per slowest stage; a decode step is over when all its pieces
  // went round
  out.cycle = decode
                  ? std::max(static_cast<double>(in_flight) * (out.step.latency + hop), out.latency)
                  : out.step.latency + hop + m.host.per_step;
  if (m.plan.pp == 1) out.cycle = out.latency;
  return out;
}

}  // namespace fathom::infer
