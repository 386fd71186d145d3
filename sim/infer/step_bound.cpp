#include "infer/step_bound.hpp"

#include <algorithm>
#include <optional>
#include <variant>

#include "mapping/shard.hpp"
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

bool left_out(const mapping::MappedNode& node) {
  return node.stage == Stage::embed || node.stage == Stage::head || node.stage == Stage::experts ||
         std::holds_alternative<ops::ExpertExchange>(node.op);
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

void add_experts(const StepModel& m, const model::Block& block, double layers, OwnWork& out) {
  for (int i = block.begin; i < block.end; ++i) {
    const model::OpNode& node = m.graph.nodes[static_cast<std::size_t>(i)];
    if (!std::holds_alternative<ops::GroupedGemm>(node.op)) continue;
    const auto same = std::ranges::find(out.experts, node, &OwnWork::Product::node);
    if (same != out.experts.end()) {
      same->calls += layers;
    } else {
      out.experts.push_back({node, layers});
    }
  }
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
  Timer timer{m, query.sm_share};
  for (std::size_t b = 0; b < m.mapped.blocks.size(); ++b) {
    const model::Block& block = m.mapped.blocks[b];
    if (block.kind < 0) continue;
    const auto layers = static_cast<double>(std::ranges::count(m.arch.layers, block.kind));
    const std::vector<Seconds>& times = timer.block(block);
    for (int i = block.begin; i < block.end; ++i) {
      const mapping::MappedNode& node = m.mapped.nodes[static_cast<std::size_t>(i)];
      const Seconds t = layers * times[static_cast<std::size_t>(i - block.begin)];
      if (node.stage != Stage::shared) out.chain += t;
      if (node.lane == mapping::Lane::compute) out.compute += t;
    }
    add_experts(m, m.graph.blocks[b], layers, out);
  }
  return out;
}

Seconds least_latency(const OwnWork& own, const mapping::Plan& plan, const hw::Cluster& cluster,
                      double share) {
  Seconds experts;
  for (const OwnWork::Product& product : own.experts) {
    const ops::Op cut = mapping::shard(product.node, plan, 0);
    const timing::OpTime t = timing::time_of(cut, cluster, {share, 1.0});
    if (!depends_on_neighbours(t, cluster, share)) experts += product.calls * t.total;
  }
  const double micro_batches = plan.two_batch_overlap ? 2.0 : 1.0;
  return kRounding * std::max(own.chain + experts, micro_batches * (own.compute + experts));
}

}  // namespace fathom::infer
