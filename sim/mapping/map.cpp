#include "mapping/map.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mapping/shard.hpp"

namespace fathom::mapping {
namespace {

using model::Shard;
using model::Stage;
using ops::CollectiveKind;

bool is_core(const ops::Op& op) {
  return std::holds_alternative<ops::Attention>(op) ||
         std::holds_alternative<ops::LatentAttention>(op) ||
         std::holds_alternative<ops::Indexer>(op);
}

bool once_per_step(Stage stage) { return stage == Stage::head || stage == Stage::embed; }

void scale_rows(ops::Op& op, double factor) {
  if (auto* g = std::get_if<ops::Gemm>(&op)) g->m *= factor;
  if (auto* e = std::get_if<ops::Elementwise>(&op)) e->rows *= factor;
}

bool is_expert_work(const model::OpNode& node) {
  return node.shard == Shard::experts || node.shard == Shard::expert_rows;
}

double query_tokens(const ops::Op& op) {
  if (const auto* a = std::get_if<ops::Attention>(&op)) return a->query_tokens;
  if (const auto* a = std::get_if<ops::LatentAttention>(&op)) return a->query_tokens;
  return 0.0;
}

/// Emits one block: walks the nodes once, cutting each and putting communication where layouts
/// change.
class BlockMapper {
 public:
  BlockMapper(const MapContext& context, const model::OpGraph& graph, const model::Block& block,
              MappedGraph& out)
      : c_(context), graph_(graph), block_(block), out_(out) {
    d_ = static_cast<double>(c_.arch.hidden_size);
    for (int i = block.begin; i < block.end; ++i) inspect(node(i));
  }

  void run() {
    const int begin = static_cast<int>(out_.nodes.size());
    for (int i = block_.begin; i < block_.end; ++i) {
      const model::OpNode& n = node(i);
      if (i == first_core_) before_core();
      if (i == first_expert_) before_experts();
      emit(n);
      if (i == last_core_) after_core(n);
      if (i == last_expert_) after_experts();
      after(n);
    }
    out_.blocks.push_back(
        {block_.name, block_.kind, block_.repeat, begin, static_cast<int>(out_.nodes.size())});
  }

 private:
  const model::OpNode& node(int i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }

  void inspect(const model::OpNode& n) {
    const int i = static_cast<int>(&n - graph_.nodes.data());
    if (c_.plan.cp > 1) kv_write_ += ops::cost(n.op).kv_write;
    if (is_core(n.op)) {
      if (first_core_ < 0) first_core_ = i;
      last_core_ = i;
    }
    if (const auto* a = std::get_if<ops::Attention>(&n.op); a != nullptr && !a->naive_mla)
      kv_heads_ = a->kv_heads;
    if (is_expert_work(n)) {
      if (first_expert_ < 0) first_expert_ = i;
      last_expert_ = i;
    }
    // the rows that enter the block's first product, for payloads
    if (const auto* g = std::get_if<ops::Gemm>(&n.op); g != nullptr && rows_ == 0.0) rows_ = g->m;
    if (const auto* e = std::get_if<ops::Elementwise>(&n.op); e != nullptr && rows_ == 0.0)
      rows_ = e->rows;
  }

  void emit(const model::OpNode& n) {
    MappedNode& mapped = out_.nodes.emplace_back();
    mapped.name = n.name;
    mapped.stage = n.stage;
    ops::Op& op = mapped.op;
    shard(n, c_.plan, kv_heads_, op);
    if (once_per_step(n.stage)) scale_rows(op, static_cast<double>(c_.micro_batches));
    if (c_.plan.cp > 1 && c_.phase == model::Phase::decode && is_core(n.op)) gather_queries(op);
  }

  // Decode under context parallelism: every rank scores all queries of the group on its part of the
  // cache.
  void gather_queries(ops::Op& op) const {
    const auto cp = static_cast<double>(c_.plan.cp);
    if (auto* a = std::get_if<ops::Attention>(&op)) a->query_tokens *= cp;
    if (auto* a = std::get_if<ops::LatentAttention>(&op)) a->query_tokens *= cp;
    if (auto* a = std::get_if<ops::Indexer>(&op)) a->query_tokens *= cp;
  }

  void collective(std::string_view name, CollectiveKind kind, ops::RankGroup group, Bytes payload,
                  Stage stage) {
    if (group.size <= 1 || payload.value <= 0.0) return;
    if (once_per_step(stage)) payload *= static_cast<double>(c_.micro_batches);
    const bool near = group.size * group.stride <= c_.cluster.tiers.front().group;
    out_.nodes.push_back({name, ops::Collective{kind, group, payload},
                          near ? Lane::intra_node : Lane::inter_node, stage});
  }

  ops::RankGroup tp_group() const { return {c_.plan.tp, 1}; }
  ops::RankGroup cp_group() const { return {c_.plan.cp, c_.plan.tp}; }
  ops::RankGroup token_group() const { return {c_.plan.dp * c_.plan.cp, c_.plan.tp}; }

  // A prompt's other parts are on other ranks: their new cache rows come over the wire.
  void before_core() {
    const auto cp = static_cast<double>(c_.plan.cp);
    if (c_.plan.cp == 1) return;
    if (c_.phase == model::Phase::prefill) {
      collective("cp_all_gather_kv", CollectiveKind::all_gather, cp_group(), kv_write_ * cp,
                 Stage::attention_2);
    } else {
      const ops::OpCost core = ops::cost(shard(node(last_core_), c_.plan, kv_heads_));
      collective("cp_all_gather_q", CollectiveKind::all_gather, cp_group(), core.act_read * cp,
                 Stage::attention_2);
    }
  }

  // Partial outputs of every rank's part of the cache are merged by their log-sum-exp, in fp32.
  void after_core(const model::OpNode& n) {
    if (c_.plan.cp == 1 || c_.phase == model::Phase::prefill || query_tokens(n.op) == 0.0) return;
    const ops::OpCost core = ops::cost(shard(n, c_.plan, kv_heads_));
    const double fp32_over_bf16 = 2.0;
    collective("cp_reduce_scatter_o", CollectiveKind::reduce_scatter, cp_group(),
               core.act_write * (fp32_over_bf16 * static_cast<double>(c_.plan.cp)),
               Stage::attention_2);
  }

  ops::ExpertExchange exchange(ops::Exchange direction) const {
    const model::LayerSpec& layer =
        block_.kind >= 0 ? c_.arch.kinds[static_cast<std::size_t>(block_.kind)] : c_.arch.mtp_layer;
    const bool hybrid = c_.plan.all_to_all == AllToAll::hybrid;
    const bool ll = hybrid || c_.plan.all_to_all == AllToAll::low_latency ||
                    (c_.plan.all_to_all == AllToAll::automatic && c_.phase == model::Phase::decode);
    const Dtype wire =
        direction == ops::Exchange::dispatch ? c_.precision.dispatch : c_.precision.combine;
    return {
        .direction = direction,
        .group = {c_.plan.ep, 1},
        .tokens = rows_ / static_cast<double>(
                              c_.plan.tp),  // tp ranks hold the same tokens: each sends its share
        .copies = static_cast<double>(layer.moe.num_experts_per_tok),
        .experts = static_cast<double>(layer.moe.n_routed_experts + c_.plan.redundant_experts),
        .copy_bytes = d_ * row_size_of(wire),
        .n_group = layer.moe.n_group,
        .topk_group = layer.moe.topk_group,
        .low_latency = ll,
        .per_node = hybrid,
        .all_remote = c_.plan.all_remote,
        .load = c_.plan.expert_load};
  }

  void push_exchange(std::string_view name, ops::ExpertExchange op, Stage sent, Stage net,
                     Stage received) {
    const bool near = op.group.size <= c_.cluster.tiers.front().group;
    const Lane lane = near ? Lane::intra_node : Lane::inter_node;
    const auto part = [&](ops::ExchangePart p, Lane l, Stage stage) {
      op.part = p;
      out_.nodes.push_back({name, op, l, stage});
    };
    if (op.low_latency) {
      part(ops::ExchangePart::send, Lane::compute, sent);
      part(ops::ExchangePart::net, lane, net);
      part(ops::ExchangePart::receive, Lane::compute, received);
    } else {
      part(ops::ExchangePart::whole, lane, net);
    }
  }

  void before_experts() {
    switch (expert_traffic(c_.plan)) {
      case ExpertTraffic::exchange:
        push_exchange("dispatch", exchange(ops::Exchange::dispatch), Stage::attention_2,
                      Stage::dispatch, Stage::experts);
        break;
      case ExpertTraffic::gather:
        collective("gather_tokens", CollectiveKind::all_gather, token_group(),
                   rows_ * static_cast<double>(token_group().size) * d_ *
                       row_size_of(c_.precision.dispatch),
                   Stage::dispatch);
        break;
      case ExpertTraffic::none:
        break;
    }
  }

  void after_experts() {
    switch (expert_traffic(c_.plan)) {
      case ExpertTraffic::exchange:
        push_exchange("combine", exchange(ops::Exchange::combine), Stage::experts, Stage::combine,
                      Stage::receive);
        break;
      case ExpertTraffic::gather:
        collective("scatter_tokens", CollectiveKind::reduce_scatter, token_group(),
                   rows_ * static_cast<double>(token_group().size) * d_ *
                       row_size_of(c_.precision.combine),
                   Stage::combine);
        break;
      case ExpertTraffic::none:
        break;
    }
    collective("all_reduce_experts", CollectiveKind::all_reduce, tp_group(),
               rows_ * d_ * size_of(Dtype::bf16), Stage::combine);
  }

  void after(const model::OpNode& n) {
    // shared experts join the routed ones in all_reduce_experts
    if (n.shard == Shard::rows && n.stage != Stage::shared) {
      collective("all_reduce", CollectiveKind::all_reduce, tp_group(),
                 rows_ * d_ * size_of(Dtype::bf16), n.stage);
    }
    if (n.shard != Shard::vocab) return;
    if (n.stage == Stage::embed) {
      collective("all_reduce", CollectiveKind::all_reduce, tp_group(),
                 rows_ * d_ * size_of(Dtype::bf16), n.stage);
    } else {
      const auto& gemm = std::get<ops::Gemm>(n.op);
      collective("all_gather_logits", CollectiveKind::all_gather, tp_group(),
                 gemm.m * static_cast<double>(gemm.n) * size_of(Dtype::bf16), n.stage);
    }
  }

  const MapContext& c_;
  const model::OpGraph& graph_;
  const model::Block& block_;
  MappedGraph& out_;
  double d_ = 0.0;
  double rows_ = 0.0;
  std::int64_t kv_heads_ = 0;
  Bytes kv_write_;
  int first_core_ = -1;
  int last_core_ = -1;
  int first_expert_ = -1;
  int last_expert_ = -1;
};

}  // namespace

void local_step(const model::StepShape& step, const Plan& plan, std::int64_t micro_batches,
                model::StepShape& out) {
  out.phase = step.phase;
  out.draft_tokens = step.draft_tokens;
  out.groups.assign(step.groups.begin(), step.groups.end());
  const auto cp = static_cast<double>(plan.cp);
  const auto pieces = static_cast<double>(micro_batches);
  for (model::SequenceGroup& g : out.groups) {
    // whole sequences go to a replica; a micro-batch may hold a part of one (chunks of a prompt)
    g.count = std::ceil(g.count / static_cast<double>(plan.dp));
    g.count = g.count >= pieces ? std::ceil(g.count / pieces) : g.count / pieces;
    if (step.phase == model::Phase::decode) {
      g.count /= cp;
    } else if (plan.cp > 1) {
      const double own = g.new_tokens / cp;
      g.context_tokens += (g.new_tokens - own) / 2.0;
      g.new_tokens = own;
    }
  }
}

model::StepShape local_step(const model::StepShape& step, const Plan& plan,
                            std::int64_t micro_batches) {
  model::StepShape out;
  local_step(step, plan, micro_batches, out);
  return out;
}

void map(const model::OpGraph& graph, const MapContext& context, MappedGraph& out) {
  out.nodes.clear();
  out.blocks.clear();
  out.phase = context.phase;
  for (const model::Block& block : graph.blocks) BlockMapper{context, graph, block, out}.run();
}

MappedGraph map(const model::OpGraph& graph, const MapContext& context) {
  MappedGraph out;
  map(graph, context, out);
  return out;
}

std::string_view name(Lane lane) {
  constexpr std::array<std::string_view, kLaneCount> names{"compute", "intra_node", "inter_node",
                                                           "copy"};
  return names[static_cast<std::size_t>(lane)];
}

nlohmann::json to_json(const MappedGraph& graph) {
  auto blocks = nlohmann::json::array();
  for (const model::Block& block : graph.blocks) {
    auto nodes = nlohmann::json::array();
    for (int i = block.begin; i < block.end; ++i) {
      const MappedNode& node = graph.nodes[static_cast<std::size_t>(i)];
      auto out = ops::to_json(node.op);
      const ops::OpCost cost = ops::cost(node.op);
      out["name"] = node.name;
      out["lane"] = name(node.lane);
      out["stage"] = model::name(node.stage);
      out["flops"] = cost.flops.value;
      out["bytes"] = ops::traffic(cost).value;
      nodes.push_back(std::move(out));
    }
    blocks.push_back({{"name", block.name}, {"repeat", block.repeat}, {"nodes", std::move(nodes)}});
  }
  return {{"blocks", std::move(blocks)}};
}

}  // namespace fathom::mapping
