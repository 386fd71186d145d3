#pragma once

#include "mapping/plan.hpp"
#include "model/graph.hpp"
#include "ops/op.hpp"

namespace fathom::mapping {

/// One rank's share of an operator. Heads, columns and rows go over tp; KV heads never below one
/// per rank; experts over ep, and within an expert over expert_tp(); the tokens of dp x cp ranks
/// meet in one expert group. `kv_heads` is the layer's num_key_value_heads (0: none).
ops::Op shard(const model::OpNode& node, const Plan& plan, std::int64_t kv_heads);
void shard(const model::OpNode& node, const Plan& plan, std::int64_t kv_heads, ops::Op& out);

}  // namespace fathom::mapping
