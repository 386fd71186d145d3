#pragma once

#include <cstdint>

#include "ops/cost.hpp"

namespace fathom::ops {

/// Kernel classes that reach different shares of the memory bandwidth (reference: published H800
/// training trace).
enum class ElementwiseKind : std::uint8_t {
  norm,
  cast,
  copy,
  activation,
  permute,
  misc,
  embedding
};

/// Memory-bound work on rows: norms, casts, RoPE, SwiGLU, permutes, residual adds, embedding
/// look-ups.
struct Elementwise {
  ElementwiseKind kind = ElementwiseKind::misc;
  double rows = 0.0;
  double read_bytes = 0.0;      // per row
  double write_bytes = 0.0;     // per row
  double kv_write_bytes = 0.0;  // per row, into the cache
  double repeated_bytes = 0.0;  // per row, of the read and written ones: a token's row moved once
                                // per expert
  double weight_bytes = 0.0;    // once: a norm's weight
  int kernels = 1;              // launches
  bool operator==(const Elementwise&) const = default;
};
OpCost cost(const Elementwise& op);

}  // namespace fathom::ops
