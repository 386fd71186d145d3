#pragma once

#include <set>

#include "kernels/ref/moe.hpp"

namespace fathom::kernels::ref {

/// A MoE layer cut over ranks: tokens and experts both lie on ranks in equal consecutive runs.
struct ExpertParallel {
  std::int64_t ranks = 1;
  std::int64_t ranks_per_node = 1;
  std::int64_t nodes() const { return ranks / ranks_per_node; }
};

/// Rows that a dispatch moves, from a token's rank to an expert's; the combine moves as many back.
/// Rows that stay on their rank (or node) are on the diagonal.
struct ExpertTraffic {
  Indices pairs;      // [ranks, ranks]: one row per (token, expert)
  Indices rank_rows;  // [ranks, ranks]: one row per token and rank that has an expert of it
  Indices node_rows;  // [nodes, nodes]: one row per token and node, forwarded inside the node
};

/// What routing indices [tokens, choices] moves. Sending a token once per node, then over NVLink,
/// is the dispatch of the V3 report, section 3.2.2.
inline ExpertTraffic expert_traffic(const ExpertParallel& cut, const Indices& indices,
                                    std::int64_t experts) {
  FATHOM_EXPECT(cut.ranks % cut.ranks_per_node == 0, "nodes with unequal numbers of ranks");
  FATHOM_EXPECT(indices.rows() % cut.ranks == 0 && experts % cut.ranks == 0,
                "ranks with unequal numbers of tokens or experts");
  ExpertTraffic out{.pairs = Indices{Shape{cut.ranks, cut.ranks}},
                    .rank_rows = Indices{Shape{cut.ranks, cut.ranks}},
                    .node_rows = Indices{Shape{cut.nodes(), cut.nodes()}}};
  for (std::int64_t t = 0; t < indices.rows(); ++t) {
    const std::int64_t from = t * cut.ranks / indices.rows();
    std::set<std::int64_t> ranks;
    std::set<std::int64_t> nodes;
    for (const std::int64_t e : indices.row(t)) {
      const std::int64_t to = e * cut.ranks / experts;
      ++out.pairs[from * cut.ranks + to];
      ranks.insert(to);
      nodes.insert(to / cut.ranks_per_node);
    }
    for (const std::int64_t to : ranks) ++out.rank_rows[from * cut.ranks + to];
    for (const std::int64_t to : nodes) {
      ++out.node_rows[from / cut.ranks_per_node * cut.nodes() + to];
    }
  }
  return out;
}

/// Which of the choices [tokens, choices] have their expert on `rank`: 1 or 0.
inline Indices local_choices(const Indices& indices, std::int64_t experts, std::int64_t ranks,
                             std::int64_t rank) {
  Indices local{indices.shape};
  for (std::int64_t s = 0; s < indices.size(); ++s) {
    local[s] = indices[s] * ranks / experts == rank ? 1 : 0;
  }
  return local;
}

/// One rank's share of the routed sum: only its own experts work, on the tokens of all ranks.
/// x [..., dim], `gate` of all tokens -> [tokens, dim].
template <class T>
Tensor<T> partial_routed(const MoeSpec& spec, const MlpWeights<T>& experts, const Tensor<T>& x,
                         const GateResult<T>& gate, const Indices& local) {
  const Dispatch dispatch = dispatch_by_expert(gate.indices, experts.w1.dim(0), local);
  return routed_experts(spec, experts, x, dispatch, gate.weights);
}

/// Routed sum of moe() as ranks compute it: every rank works on its experts, the combine adds the
/// partial sums in the order of the ranks. Equal to the unsharded layer up to rounding; without
/// capacity limits.
template <class T>
Tensor<T> moe_expert_parallel(const MoeSpec& spec, const ExpertParallel& cut,
                              const MoeWeights<T>& weights, const Tensor<T>& x,
                              const Indices& chosen = {}) {
  const GateResult<T> gate = moe_gate(spec, weights, x, chosen);
  const std::int64_t experts = weights.gate.dim(0);
  Tensor<T> total{Shape{x.rows(), x.dim(-1)}};
  for (std::int64_t rank = 0; rank < cut.ranks; ++rank) {
    const Indices local = local_choices(gate.indices, experts, cut.ranks, rank);
    total = add(total, partial_routed(spec, weights.experts, x, gate, local));
  }
  return std::move(total).reshaped(x.shape);
}

}  // namespace fathom::kernels::ref
