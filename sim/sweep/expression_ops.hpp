#pragma once

#include "sweep/expression.hpp"

namespace fathom::sweep {

/// The operations of an expression's program, by how many values they take.
// clang-format off
enum class Op : std::uint8_t {
  constant, slot,
  negate, logical_not, ceil, floor, round, abs, sqrt, log2, log, exp,
  add, subtract, multiply, divide, remainder, power, min, max,
  less, less_equal, greater, greater_equal, equal, not_equal, logical_and, logical_or,
  select
};
// clang-format on

/// Values taken from the stack; every operation puts one back.
constexpr int operands(Op op) {
  if (op <= Op::slot) return 0;
  if (op <= Op::exp) return 1;
  return op < Op::select ? 2 : 3;
}

}  // namespace fathom::sweep
