#include "infer/step_bound.hpp"

#include <algorithm>
#include <span>
#include <variant>

#include "timing/roofline.hpp"

namespace fathom::infer {
namespace {

using model::Stage;

// Sums of the same terms in another order differ in the last digits.
constexpr double kRounding = 1.0 - 1e-9;

// Kernels that slow down only while communication runs are timed again with less of it beside
// them, so what they take next to all of it is no lower bound.
bool depends_on_neighbours(const timing::OpTime& time, const hw::Cluster& cluster, double share) {
  return share < 1.0 && cluster.efficiency.lookup(time.family, time.cost.math).overlapped > 0.0;
}

// Nodes of the experts' part are timed with the plan.
bool left_out(const mapping::MappedNode& node) {
  return node.stage == Stage::embed || node.stage == Stage::head || node.stage == Stage::experts ||
         node.stage == Stage::combine || std::holds_alternative<ops::ExpertExchange>(node.op);
}

// Kinds of layers share most operators: an equal call of the block before has the same time.
class Timer {
 public:
  Timer(const StepModel& model, double share) : m_(model), in_situ_{share, 1.0} {}

  /// The times of a block's nodes; zero where a bound may not count on one.
  const std::vector<Seconds>& block(const model::Block& block) {
    last_.swap(now_);
    now_.clear();
    for (int i = block.begin; i < block.end; ++i) now_.push_back(time(i));
    begin_ = block.begin;
    return now_;
  }

 private:
  const mapping::MappedNode& node(int i) const {
    return m_.mapped.nodes[static_cast<std::size_t>(i)];
  }

  Seconds time(int i) {
    const mapping::MappedNode& one = node(i);
    if (left_out(one)) return {};
    for (std::size_t k = 0; k < last_.size(); ++k) {
      const mapping::MappedNode& other = node(begin_ + static_cast<int>(k));
      if (other.name.data() == one.name.data() && other.stage == one.stage && other.op == one.op)
        return last_[k];
    }
    const timing::OpTime t = timing::time_of(one.op, m_.cluster, in_situ_);
    return depends_on_neighbours(t, m_.cluster, in_situ_.sm_share) ? Seconds{} : t.total;
  }

  const StepModel& m_;
  timing::InSitu in_situ_;
  std::vector<Seconds> last_;  // of the block before, which began at begin_
  std::vector<Seconds> now_;
  int begin_ = 0;
};

bool is_routed(const model::OpNode& node) {
  return node.shard == model::Shard::experts || node.shard == model::Shard::expert_rows;
}

double rows_of(const ops::Op& op) {
  if (const auto* gemm = std::get_if<ops::Gemm>(&op)) return gemm->m;
  if (const auto* pointwise = std::get_if<ops::Elementwise>(&op)) return pointwise->rows;
  return 0.0;
}

// A block that map() puts the same way to the experts and back into: it takes the payloads from the
// block's first rows.
void add_experts(const model::OpGraph& graph, const model::Block& block, double layers,
                 OwnWork& out) {
  const auto nodes = std::span(graph.nodes)
                         .subspan(static_cast<std::size_t>(block.begin),
                                  static_cast<std::size_t>(block.end - block.begin));
  if (std::ranges::none_of(nodes, is_routed)) return;
  model::Block part = block;
  part.begin = static_cast<int>(out.experts.nodes.size());
  const auto first =
      std::ranges::find_if(nodes, [](const model::OpNode& n) { return rows_of(n.op) != 0.0; });
  out.experts.nodes.push_back({"rows", ops::Elementwise{.rows = rows_of(first->op)}});
  for (const model::OpNode& node : nodes) {
    if (is_routed(node)) out.experts.nodes.push_back(node);
  }
  part.end = static_cast<int>(out.experts.nodes.size());
  out.experts.blocks.push_back(part);
  out.layers.push_back(layers);
}

// The parts of a low-latency exchange add up to the whole.
bool is_counted_elsewhere(const ops::Op& op) {
  const auto* exchange = std::get_if<ops::ExpertExchange>(&op);
  return exchange != nullptr && (exchange->part == ops::ExchangePart::send ||
                                 exchange->part == ops::ExchangePart::receive);
}

// A low-latency exchange in one piece: all of it is in line, and a part of it on the wire.
void add(const mapping::MappedNode& node, double layers, const hw::Cluster& cluster, double share,
         LaneTimes& out) {
  const auto* exchange = std::get_if<ops::ExpertExchange>(&node.op);
  const bool in_parts = exchange != nullptr && exchange->part == ops::ExchangePart::net;
  ops::Op op = node.op;
  if (in_parts) std::get<ops::ExpertExchange>(op).part = ops::ExchangePart::whole;
  const timing::OpTime t = timing::time_of(op, cluster, {share, 1.0});
  if (depends_on_neighbours(t, cluster, share)) return;
  out.chain += layers * t.total;
  if (!in_parts) out.lanes[static_cast<std::size_t>(node.lane)] += layers * t.total;
}

}  // namespace

double sm_share(const mapping::Plan& plan, model::Phase phase, const hw::Cluster& cluster) {
  using mapping::AllToAll;
  const bool decode = phase == model::Phase::decode;
  const bool throughput = plan.all_to_all == AllToAll::throughput ||
                          (plan.all_to_all == AllToAll::automatic && !decode);
  const bool exchange = mapping::expert_traffic(plan) == mapping::ExpertTraffic::exchange;
  if (!plan.two_batch_overlap || !throughput || !exchange || cluster.device.sm_count <= 0.0)
    return 1.0;
  const hw::EfficiencySet& set = cluster.efficiency;
  const double reserved = std::max(set.lookup(hw::Family::dispatch, Math::bf16).sm_reserved,
                                   set.lookup(hw::Family::combine, Math::bf16).sm_reserved);
  return 1.0 - reserved / cluster.device.sm_count;
}

OwnWork own_work(StepModel& m, const BoundQuery& query) {
  // As many expert ranks as there are ranks of one replica: tokens meet by an exchange or not at
  // all, so every collective left in the graph is one that any plan has.
  const mapping::Plan replica{
      .tp = m.plan.tp, .ep = m.plan.tp * m.plan.cp, .dp = 1, .cp = m.plan.cp};
  model::lower(m.arch, query.local, m.options, m.graph);
  mapping::map(m.graph,
               {.arch = m.arch,
                .plan = replica,
                .cluster = m.cluster,
                .precision = m.options.precision,
                .phase = query.local.phase},
               m.mapped);
  OwnWork out;
  out.phase = query.local.phase;
  Timer timer{m, query.sm_share};
  for (std::size_t b = 0; b < m.mapped.blocks.size(); ++b) {
    const model::Block& block = m.mapped.blocks[b];
    if (block.kind < 0) continue;
    const auto layers = static_cast<double>(std::ranges::count(m.arch.layers, block.kind));
    const std::vector<Seconds>& times = timer.block(block);
    for (int i = block.begin; i < block.end; ++i) {
      const mapping::MappedNode& node = m.mapped.nodes[static_cast<std::size_t>(i)];
      const Seconds t = layers * times[static_cast<std::size_t>(i - block.begin)];
      out.times.lanes[static_cast<std::size_t>(node.lane)] += t;
      if (node.stage != Stage::shared) out.times.chain += t;
    }
    add_experts(m.graph, m.graph.blocks[b], layers, out);
  }
  return out;
}

LaneTimes with_experts(const OwnWork& own, const StepModel& m, double share) {
  thread_local mapping::MappedGraph mapped;  // reused: no allocation per candidate
  mapping::map(own.experts,
               {.arch = m.arch,
                .plan = m.plan,
                .cluster = m.cluster,
                .precision = m.options.precision,
                .phase = own.phase},
               mapped);
  LaneTimes times = own.times;
  for (std::size_t b = 0; b < mapped.blocks.size(); ++b) {
    for (int i = mapped.blocks[b].begin; i < mapped.blocks[b].end; ++i) {
      const mapping::MappedNode& node = mapped.nodes[static_cast<std::size_t>(i)];
      if (std::holds_alternative<ops::Elementwise>(node.op) || is_counted_elsewhere(node.op))
        continue;
      add(node, own.layers[b], m.cluster, share, times);
    }
  }
  return times;
}

Seconds least_latency(const LaneTimes& times, std::int64_t micro_batches) {
  const Seconds busiest = *std::ranges::max_element(times.lanes);
  return kRounding * std::max(times.chain, static_cast<double>(micro_batches) * busiest);
}

}  // namespace fathom::infer
