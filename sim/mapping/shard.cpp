#include "mapping/shard.hpp"

#include <algorithm>
#include <cmath>

#include "core/portable_math.hpp"

namespace fathom::mapping {
namespace {

using model::Shard;

// Ceil: the busiest rank holds the larger piece.
std::int64_t part(std::int64_t whole, std::int64_t ways) { return (whole + ways - 1) / ways; }

struct Sharder {
  Shard tag;
  const Plan& plan;

  void operator()(ops::Gemm& op) const {
    switch (tag) {
      case Shard::columns:
      case Shard::vocab:
        op.n = part(op.n, plan.tp);
        break;
      case Shard::heads:
        if (op.batch > 1) {
          op.batch = part(op.batch, plan.tp);
        } else {
          op.n = part(op.n, plan.tp);
        }
        break;
      case Shard::kv_heads:
        op.n = part(op.n, plan.tp);
        break;
      case Shard::rows:
        op.k = part(op.k, plan.tp);
        break;
      default:
        break;
    }
  }

  void operator()(ops::GroupedGemm& op) const {
    const double senders = static_cast<double>(plan.dp * plan.cp);
    const auto ep = static_cast<double>(plan.ep);
    const double top_k_rows = op.rows * senders;  // of the whole expert group
    const double slots = op.experts + static_cast<double>(plan.redundant_experts);
    // E (1 - (1 - k/E)^n): expected experts that at least one of the group's n tokens chose
    const double local = slots / ep;
    const double tokens = top_k_rows / op.experts_per_token;
    op.experts = local;
    op.group_tokens = tokens;
    op.touched_experts =
        local * (1.0 - portable::exp(tokens * portable::log1p(-op.experts_per_token / slots)));
    op.rows = top_k_rows / ep * plan.expert_load;
    const std::int64_t cut = expert_tp(plan);
    if (tag == Shard::expert_rows) {
      op.k = part(op.k, cut);
    } else {
      op.n = part(op.n, cut);
    }
  }

  void operator()(ops::Attention& op) const {
    if (tag != Shard::heads) return;
    op.heads = part(op.heads, plan.tp);
    op.kv_heads = part(op.kv_heads, plan.tp);
  }
  void operator()(ops::LatentAttention& op) const {
    if (tag == Shard::heads)
      op.heads = part(op.heads, plan.tp);  // the cached rows stay whole on every rank
  }
  void operator()(ops::LinearAttention& op) const {
    op.value_heads = part(op.value_heads, plan.tp);
    op.key_heads = part(op.key_heads, plan.tp);
  }
  void operator()(ops::Elementwise& op) const {
    double width = 1.0;
    if (tag == Shard::heads || tag == Shard::columns || tag == Shard::kv_heads)
      width = static_cast<double>(plan.tp);
    if (tag == Shard::experts || tag == Shard::expert_rows) {
      op.rows *=
          static_cast<double>(plan.dp * plan.cp) / static_cast<double>(plan.ep) * plan.expert_load;
    }
    if (tag == Shard::expert_rows) width = static_cast<double>(expert_tp(plan));
    op.read_bytes /= width;
    op.write_bytes /= width;
    op.kv_write_bytes /= width;
    op.repeated_bytes /= width;
  }
  template <class T>
  void operator()(const T& /*whole on every rank*/) const {}
};

// Fewer KV heads than ranks: each rank keeps a copy of one head, so the effective cut is
// num_key_value_heads.
Plan kv_plan(Plan plan, std::int64_t kv_heads) {
  plan.tp = std::min(plan.tp, kv_heads);
  return plan;
}

}  // namespace

void shard(const model::OpNode& node, const Plan& plan, std::int64_t kv_heads, ops::Op& out) {
  out = node.op;
  if (node.shard == Shard::kv_heads && kv_heads > 0 && kv_heads < plan.tp) {
    std::visit(Sharder{node.shard, kv_plan(plan, kv_heads)}, out);
  } else {
    std::visit(Sharder{node.shard, plan}, out);
  }
}

ops::Op shard(const model::OpNode& node, const Plan& plan, std::int64_t kv_heads) {
  ops::Op out;
  shard(node, plan, kv_heads, out);
  return out;
}

}  // namespace fathom::mapping
