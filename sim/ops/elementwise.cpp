#include "ops/elementwise.hpp"

namespace fathom::ops {

OpCost cost(const Elementwise& op) {
  // arithmetic is ignored: a few operations per byte never bind on any profile
  return {
      .math = Math::fp32,
      .weight_read = Bytes{op.rows > 0.0 ? op.weight_bytes : 0.0},
      .act_read = Bytes{op.rows * op.read_bytes},
      .act_write = Bytes{op.rows * op.write_bytes},
      .kv_write = Bytes{op.rows * op.kv_write_bytes},
      .repeated = Bytes{op.rows * op.repeated_bytes},
  };
}

}  // namespace fathom::ops
