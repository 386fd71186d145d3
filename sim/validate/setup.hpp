#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "model/hf_config.hpp"
#include "ops/op.hpp"
#include "study/scenario.hpp"
#include "validate/production_day.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::validate {

/// A model by itself: parameters, cache, FLOPs.
struct ModelSetup {
  model::Model model;
};

/// Kernels one after the other on an otherwise idle device, as a micro-benchmark times them.
struct OperatorSetup {
  std::vector<ops::Op> ops;
  hw::Cluster cluster;
  Seconds launch;  // per kernel: the gap that a benchmark without a CUDA graph has in its figure
};

/// What a published figure was obtained on.
using Setup = std::variant<study::Scenario, ModelSetup, OperatorSetup, ProductionDay>;

/// One of
///   {"example": NAME, "patch": {...}}      a scenario of examples/, changed by a merge patch
///   {"scenario": {...}}                    a scenario in place
///   {"model": NAME, "attention": …, "model_patch": {...}}
///   {"hardware": NAME, "operators": [{"op": "gemm", …}, …], "launch_us": 3, "efficiency": STACK}
///   {"day": NAME}                          a production day of examples/
Setup parse_setup(const nlohmann::json& document, std::string_view where);

/// One operator: {"op": "gemm" | "grouped_gemm" | "mla_decode" | "mla_prefill" | "sparse_attention"
/// | "indexer" | "exchange" | "all_reduce" | …, shape}.
ops::Op parse_operator(JsonReader in);

}  // namespace fathom::validate
