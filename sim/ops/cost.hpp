#pragma once

#include "core/dtype.hpp"
#include "core/units.hpp"

namespace fathom::ops {

/// What one call of an operator does, before any machine is known: exact arithmetic, bytes by
/// purpose.
struct OpCost {
  Flops flops;
  Math math = Math::bf16;
  Bytes weight_read;
  Bytes act_read;
  Bytes act_write;
  Bytes kv_read;
  Bytes kv_write;
  Bytes repeated;  // of the above: rows that a gather or scatter moves once per use

  OpCost& operator+=(const OpCost& o);
  bool operator==(const OpCost&) const = default;
};

/// All bytes that cross the device's main memory interface.
inline Bytes traffic(const OpCost& c) {
  return c.weight_read + c.act_read + c.act_write + c.kv_read + c.kv_write;
}
/// What any algorithm must move: every element that is needed once, every result once. Equal to
/// what a run of the reference kernel touches.
inline Bytes compulsory(const OpCost& c) { return traffic(c) - c.repeated; }
inline FlopsPerByte intensity(const OpCost& c) { return c.flops / traffic(c); }

inline OpCost& OpCost::operator+=(const OpCost& o) {
  flops += o.flops;
  weight_read += o.weight_read;
  act_read += o.act_read;
  act_write += o.act_write;
  kv_read += o.kv_read;
  kv_write += o.kv_write;
  repeated += o.repeated;
  return *this;
}

}  // namespace fathom::ops
