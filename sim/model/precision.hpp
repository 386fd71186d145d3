#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/dtype.hpp"
#include "model/arch_spec.hpp"
#include "model/kv_cache.hpp"

namespace fathom::model {

/// Number formats of a deployment. Defaults follow the checkpoint: FP8 blocks stay FP8, BF16 stays
/// BF16.
struct Precision {
  Dtype linear = Dtype::bf16;  // projections, dense and shared FFN
  Dtype experts = Dtype::bf16;
  Dtype other = Dtype::bf16;  // head, router, absorption products, compressors
  Dtype linear_input = Dtype::bf16;
  Dtype experts_input = Dtype::bf16;
  KvLayout kv;
  Dtype dispatch = Dtype::bf16;  // tokens on the way to experts
  Dtype combine = Dtype::bf16;   // and back
  bool operator==(const Precision&) const = default;
};

/// The activation format a weight format is multiplied with: FP8 blocks take FP8 rows, MXFP4
/// weights FP8 rows (V4), NVFP4 NVFP4.
Dtype input_for(Dtype weight);
Precision default_precision(const ArchSpec& arch);
nlohmann::json to_json(const Precision& precision);

}  // namespace fathom::model
