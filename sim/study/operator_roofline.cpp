#include "study/operator_roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "lang/say.hpp"
#include "model/params.hpp"

namespace fathom::study {
namespace {

using lang::say;

struct Form {
  std::string name;
  model::ArchSpec arch;
  model::LowerOptions options;
  bool cores_only = false;
};

bool has_latent_attention(const model::ArchSpec& arch) {
  return std::ranges::any_of(arch.kinds, [](const model::LayerSpec& layer) {
    return std::holds_alternative<model::MlaSpec>(layer.attention);
  });
}

// The form a decode step uses first; a scenario that insists on one form still shows both.
std::vector<Form> forms_of(const Scenario& s, const std::string& other) {
  std::vector<Form> forms;
  if (has_latent_attention(s.model.arch)) {
    forms.push_back({"absorbed", s.model.arch, s.options});
    forms.back().options.mla = model::MlaForm::absorbed;
    forms.push_back({"naive", s.model.arch, s.options});
    forms.back().options.mla = model::MlaForm::naive;
    if (std::holds_alternative<infer::PrefillQuery>(s.workload)) std::swap(forms[0], forms[1]);
  } else {
    forms.push_back({"", s.model.arch, s.options});
  }
  if (!other.empty()) {
    forms.push_back({other, model::with_attention(s.model.arch, other), s.options, true});
    forms.back().options.mla = model::MlaForm::automatic;
  }
  return forms;
}

bool is_core(const ops::Op& op) {
  return std::holds_alternative<ops::Attention>(op) ||
         std::holds_alternative<ops::LatentAttention>(op) ||
         std::holds_alternative<ops::LinearAttention>(op);
}

FlopsPerSecond peak_of(const hw::DeviceProfile& device, Math math) {
  const FlopsPerSecond peak = device.peak_of(math);
  return peak.value > 0.0 ? peak : device.peak_of(Math::bf16);
}

RooflinePoint make_point(const Form& form, double batch, const OperatorRow& row, bool core,
                         const hw::DeviceProfile& device) {
  RooflinePoint p{.form = form.name, .batch = batch, .block = row.block, .row = row, .core = core};
  if (row.cost.flops.value <= 0.0) return p;
  p.intensity = ops::intensity(row.cost);
  p.attained = row.cost.flops / row.node.time.total;
  p.roof = std::min(peak_of(device, row.cost.math), p.intensity * device.memory_bandwidth);
  return p;
}

// Layers that differ elsewhere often share an operator: one point for all of them.
bool merge(std::vector<RooflinePoint>& points, std::size_t first, const RooflinePoint& point) {
  for (std::size_t i = first; i < points.size(); ++i) {
    OperatorRow& known = points[i].row;
    if (known.name != point.row.name || known.cost != point.row.cost) continue;
    known.calls += point.row.calls;
    known.share += point.row.share;
    return true;
  }
  return false;
}

void add_points(const Answer& answer, const Form& form, double batch,
                std::vector<RooflinePoint>& points) {
  const std::vector<OperatorRow> rows = operator_rows(answer);
  const infer::StepModel& m = answer.model;
  const std::size_t first = points.size();
  std::size_t next = 0;
  for (const model::Block& block : m.mapped.blocks) {
    for (int i = block.begin; i < block.end; ++i, ++next) {
      const ops::Op& op = m.mapped.nodes[static_cast<std::size_t>(i)].op;
      const bool core = is_core(op);
      if (ops::is_communication(op) || (form.cores_only && !core)) continue;
      const RooflinePoint point = make_point(form, batch, rows[next], core, m.cluster.device);
      if (!merge(points, first, point)) points.push_back(point);
    }
  }
}

infer::InferOutcome run(infer::StepModel& m, const Scenario& s, double batch) {
  const double all = batch * static_cast<double>(mapping::devices(m.plan));
  if (const auto* d = std::get_if<infer::DecodeQuery>(&s.workload)) {
    infer::DecodeQuery query = *d;
    query.sequences = all;
    return infer::decode(m, query);
  }
  infer::PrefillQuery query = std::get<infer::PrefillQuery>(s.workload);
  query.prompts = all;
  return infer::prefill(m, query);
}

void run_form(const Form& form, OperatorRoofline& out, std::string_view where) {
  const Scenario& s = out.scenario;
  if (auto reason = mapping::infeasible(form.arch, s.plan, s.cluster)) {
    if (!form.cores_only) throw InputError(fmt::format("{}/plan: {}", where, *reason));
    out.notes.push_back(say("{}: left out, {}", form.name, *reason));
    return;
  }
  Answer answer;
  answer.model = infer::make_step_model(form.arch, s.cluster, s.plan, form.options, &answer.notes);
  for (const double batch : out.batches) {
    answer.outcome = run(answer.model, s, batch);
    RooflineRun record{.form = form.name, .batch = batch};
    if (const auto* e = std::get_if<infer::InferEstimate>(&answer.outcome)) {
      record.latency = e->latency;
    } else {
      record.infeasible = std::get<infer::Infeasible>(answer.outcome).reason;
    }
    out.runs.push_back(std::move(record));
    add_points(answer, form, batch, out.points);
  }
  for (const std::string& note : answer.notes) {
    if (std::ranges::find(out.notes, note) == out.notes.end()) out.notes.push_back(note);
  }
}

void add_roofs(OperatorRoofline& out) {
  const hw::Cluster& cluster = out.scenario.cluster;
  for (const Math math : {Math::bf16, Math::fp8, Math::fp4}) {
    const FlopsPerSecond peak = cluster.device.peak_of(math);
    if (peak.value <= 0.0) continue;
    const hw::Efficiency& e = cluster.efficiency.lookup(hw::Family::gemm, math);
    out.roofs.push_back({.math = math,
                         .peak = peak,
                         .achievable = peak * (e.compute * e.sustained_clock),
                         .ridge = hw::ridge(cluster.device, math)});
  }
  std::ranges::stable_sort(out.roofs, {}, &Roof::peak);
  out.achievable_bandwidth = cluster.device.memory_bandwidth *
                             cluster.efficiency.lookup(hw::Family::gemm, Math::bf16).memory;
}

void check(const std::vector<double>& batches, std::string_view where) {
  if (batches.empty()) {
    throw InputError(fmt::format("{}/batches: empty; expected sequences per GPU", where));
  }
  for (const double batch : batches) {
    if (batch > 0.0 && std::isfinite(batch)) continue;
    throw InputError(fmt::format("{}/batches: found {}, expected more than 0", where, batch));
  }
}

}  // namespace

OperatorRoofline operator_roofline(const Scenario& scenario, const std::vector<double>& batches,
                                   const std::string& other_attention, std::string_view where) {
  check(batches, where);
  model::expect_parameters(scenario.model.arch);
  OperatorRoofline out{.scenario = scenario, .batches = batches, .notes = scenario.notes};
  std::ranges::sort(out.batches);
  out.batches.erase(std::unique(out.batches.begin(), out.batches.end()), out.batches.end());
  if (const auto* d = std::get_if<infer::DecodeQuery>(&scenario.workload)) {
    out.context_tokens = d->context_tokens;
  } else {
    out.context_tokens = std::get<infer::PrefillQuery>(scenario.workload).prompt_tokens;
  }
  add_roofs(out);
  for (const Form& form : forms_of(scenario, other_attention)) run_form(form, out, where);
  return out;
}

nlohmann::json to_json(const OperatorRoofline& r) {
  nlohmann::json out{{"scenario", to_json(r.scenario)},
                     {"achievable_bandwidth_b_s", r.achievable_bandwidth.value},
                     {"memory_bandwidth_b_s", r.scenario.cluster.device.memory_bandwidth.value},
                     {"batches_per_device", r.batches},
                     {"notes", r.notes}};
  for (const Roof& roof : r.roofs) {
    out["roofs"].push_back({{"math", name(roof.math)},
                            {"peak_flops", roof.peak.value},
                            {"achievable_flops", roof.achievable.value},
                            {"ridge_flops_per_byte", roof.ridge.value}});
  }
  for (const RooflineRun& run : r.runs) {
    nlohmann::json row{{"form", run.form}, {"batch_per_device", run.batch}};
    if (run.infeasible.empty()) {
      row["latency_s"] = run.latency.value;
    } else {
      row["infeasible"] = run.infeasible;
    }
    out["runs"].push_back(std::move(row));
  }
  for (const RooflinePoint& p : r.points) {
    out["operators"].push_back({{"form", p.form},
                                {"batch_per_device", p.batch},
                                {"block", p.block},
                                {"operator", p.row.name},
                                {"kind", p.row.kind},
                                {"math", name(p.row.cost.math)},
                                {"calls", p.row.calls},
                                {"flops", p.row.cost.flops.value},
                                {"bytes", traffic(p.row.cost).value},
                                {"flops_per_byte", p.intensity.value},
                                {"attained_flops", p.attained.value},
                                {"roof_flops", p.roof.value},
                                {"time_s", p.row.node.time.total.value},
                                {"ideal_time_s", p.row.node.time.ideal.value},
                                {"share_of_operator_time", p.row.share},
                                {"bound", timing::name(p.row.node.time.bound)},
                                {"family", hw::name(p.row.node.time.family)},
                                {"evidence", hw::name(p.row.node.time.evidence)}});
  }
  return out;
}

}  // namespace fathom::study
