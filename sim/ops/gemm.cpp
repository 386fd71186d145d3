#include "ops/gemm.hpp"

namespace fathom::ops {

OpCost cost(const Gemm& op) {
  const auto batch = static_cast<double>(op.batch);
  const auto n = static_cast<double>(op.n);
  const auto k = static_cast<double>(op.k);
  return {
      .flops = Flops{2.0 * batch * op.m * n * k},
      .math = math_of(op.input),
      .weight_read = batch * weight_bytes(op.weight, op.n, op.k),
      .act_read = batch * op.m * k * row_size_of(op.input),
      .act_write = batch * op.m * n * row_size_of(op.output),
  };
}

OpCost cost(const GroupedGemm& op) {
  const auto n = static_cast<double>(op.n);
  const auto k = static_cast<double>(op.k);
  return {
      .flops = Flops{2.0 * op.rows * n * k},
      .math = math_of(op.input),
      .weight_read = op.touched_experts * weight_bytes(op.weight, op.n, op.k),
      .act_read = op.rows * k * row_size_of(op.input),
      .act_write = op.rows * n * row_size_of(op.output),
  };
}

}  // namespace fathom::ops
