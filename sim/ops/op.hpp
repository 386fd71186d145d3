#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <variant>

#include "ops/attention.hpp"
#include "ops/collective.hpp"
#include "ops/elementwise.hpp"
#include "ops/gemm.hpp"

namespace fathom::ops {

/// The closed set of operators: the compiler lists every place a new one must be handled.
using Op = std::variant<Gemm, GroupedGemm, Attention, LatentAttention, Indexer, LinearAttention,
                        Elementwise, Collective, ExpertExchange>;

/// Device-side cost; communication costs no FLOPs here (its bytes are on wires, see
/// net/collective_time.hpp).
OpCost cost(const Op& op);
std::string_view kind_name(const Op& op);
bool is_communication(const Op& op);
nlohmann::json to_json(const Op& op);

}  // namespace fathom::ops
