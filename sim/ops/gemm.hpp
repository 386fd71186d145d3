#pragma once

#include <cstdint>

#include "ops/cost.hpp"

namespace fathom::ops {

/// y[m,n] = x[m,k] · w[k,n], `batch` independent products of that shape (the per-head products of
/// MLA absorption).
struct Gemm {
  double m = 0.0;  // rows; a double because expected token counts are not integers
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t batch = 1;
  Dtype weight = Dtype::bf16;
  Dtype input = Dtype::bf16;  // the arithmetic follows the input
  Dtype output = Dtype::bf16;
  bool operator==(const Gemm&) const = default;
};
OpCost cost(const Gemm& op);

/// Rows sorted by expert against each expert's own w[k,n]. Only experts that got a row are read.
struct GroupedGemm {
  double rows = 0.0;             // of all experts on this device
  double experts = 0.0;          // on this device
  double touched_experts = 0.0;  // expected number with at least one row
  double experts_per_token = 1.0;
  double group_tokens = 0.0;  // of all ranks that share the experts; 0: this device's alone
  std::int64_t n = 0;
  std::int64_t k = 0;
  Dtype weight = Dtype::bf16;
  Dtype input = Dtype::bf16;
  Dtype output = Dtype::bf16;
  bool gated_pair = false;  // gate and up in one product: n is twice the expert's width
  bool masked = false;  // fixed slots per expert (decode) instead of a contiguous layout (prefill)
  bool operator==(const GroupedGemm&) const = default;
};
OpCost cost(const GroupedGemm& op);

}  // namespace fathom::ops
