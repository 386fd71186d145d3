#include "study/evaluate.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "net/collective_time.hpp"

namespace fathom::study {
namespace {

Bytes wire_bytes(const ops::Op& op, const hw::Cluster& cluster) {
  net::CommTime time;
  if (const auto* c = std::get_if<ops::Collective>(&op)) {
    time = net::time_of(*c, cluster);
  } else if (const auto* e = std::get_if<ops::ExpertExchange>(&op)) {
    if (e->part == ops::ExchangePart::send || e->part == ops::ExchangePart::receive) return {};
    time = net::time_of(*e, cluster);
  }
  return time.near_bytes + time.far_bytes;
}

// Layers of one attention kind differ by their FFN: "mla + moe".
std::string block_label(const model::Block& block, const mapping::MappedGraph& graph) {
  std::string label(block.name);
  const auto begin = graph.nodes.begin();
  const auto has = [&](model::Stage stage) {
    return std::any_of(begin + block.begin, begin + block.end,
                       [stage](const mapping::MappedNode& node) { return node.stage == stage; });
  };
  if (has(model::Stage::dense)) label += " + dense";
  if (has(model::Stage::experts)) label += " + moe";
  return label;
}

// A low-latency exchange is three operators of one name.
std::string operator_label(const mapping::MappedNode& node) {
  constexpr std::array<std::string_view, 4> kParts{"", ".send", ".net", ".receive"};
  std::string label(node.name);
  if (const auto* exchange = std::get_if<ops::ExpertExchange>(&node.op)) {
    label += kParts[static_cast<std::size_t>(exchange->part)];
  }
  return label;
}

struct Run {
  infer::StepModel& model;
  infer::InferOutcome operator()(const infer::DecodeQuery& q) const {
    return infer::decode(model, q);
  }
  infer::InferOutcome operator()(const infer::PrefillQuery& q) const {
    return infer::prefill(model, q);
  }
};

}  // namespace

Answer evaluate(const Scenario& s) {
  Answer answer;
  answer.notes = s.notes;
  if (auto reason = mapping::infeasible(s.model.arch, s.plan, s.cluster)) {
    answer.outcome = infer::Infeasible{*reason};
    return answer;
  }
  answer.model = infer::make_step_model(s.model.arch, s.cluster, s.plan, s.options, &answer.notes);
  answer.model.host = s.host;
  answer.outcome = std::visit(Run{answer.model}, s.workload);
  return answer;
}

void evaluate_again(Scenario& s, Answer& answer) {
  infer::StepModel& m = answer.model;
  if (m.classes.empty()) return;
  std::swap(m.cluster, s.cluster);
  m.plan.expert_load = s.plan.expert_load;
  m.remembered.calls.clear();  // of other efficiencies
  m.remembered.times.clear();
  answer.outcome = std::visit(Run{m}, s.workload);
  std::swap(m.cluster, s.cluster);
}

std::vector<OperatorRow> operator_rows(const Answer& answer) {
  std::vector<OperatorRow> rows;
  const infer::StepModel& m = answer.model;
  const double micro = m.plan.two_batch_overlap ? 2.0 : 1.0;
  Seconds total;
  for (const model::Block& block : m.mapped.blocks) {
    const std::string label = block_label(block, m.mapped);
    for (int i = block.begin; i < block.end; ++i) {
      const auto n = static_cast<std::size_t>(i);
      const timing::TimedNode& node = m.timed.nodes[n];
      const bool once = node.stage == model::Stage::head || node.stage == model::Stage::embed;
      OperatorRow row{.block = label,
                      .name = operator_label(m.mapped.nodes[n]),
                      .kind = std::string(ops::kind_name(m.mapped.nodes[n].op)),
                      .calls = block.repeat * (once ? 1.0 : micro),
                      .cost = ops::cost(m.mapped.nodes[n].op),
                      .node = node,
                      .wire_bytes = wire_bytes(m.mapped.nodes[n].op, m.cluster)};
      total += row.calls * node.time.total;
      rows.push_back(std::move(row));
    }
  }
  for (OperatorRow& row : rows) row.share = row.calls * row.node.time.total / total;
  return rows;
}

std::string mla_form(const Answer& answer) {
  for (const mapping::MappedNode& node : answer.model.mapped.nodes) {
    if (const auto* a = std::get_if<ops::Attention>(&node.op); a != nullptr && a->naive_mla)
      return "naive";
  }
  for (const model::LayerSpec& layer : answer.model.arch.kinds) {
    if (std::holds_alternative<model::MlaSpec>(layer.attention)) return "absorbed";
  }
  return "";
}

}  // namespace fathom::study
