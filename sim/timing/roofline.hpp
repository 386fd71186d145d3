#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "ops/op.hpp"

namespace fathom::timing {

enum class Bound : std::uint8_t { compute, memory, network, overhead };
inline constexpr std::size_t kBoundCount = 4;
std::string_view name(Bound bound);

/// The surroundings of a call: how much of the device communication kernels leave, and for how much
/// of the time they run. Products keep off their SMs all the time (their grids are set up for it),
/// other kernels share the device only while they run.
struct InSitu {
  double sm_share = 1.0;  // SMs left for compute / all
  double beside = 1.0;    // of the time
};

/// How an operator's time was found: `measured` is a fitted form times a ratio measured around the
/// shape.
enum class Fidelity : std::uint8_t { roofline, fitted, measured };
std::string_view name(Fidelity fidelity);

struct OpTime {
  ops::OpCost cost;  // what the time is for
  Seconds total;
  Seconds ideal;  // at full peaks and no fixed costs
  double kernels = 1.0;
  Bound bound = Bound::memory;
  hw::Family family = hw::Family::gemm;
  hw::Evidence evidence = hw::Evidence::assumed;
  Fidelity fidelity = Fidelity::roofline;
  hw::FormUse form{};  // that timed it, unless by roofline
  bool operator==(const OpTime&) const = default;
};

/// Which row of the efficiency table an operator uses.
hw::Family family_of(const ops::Op& op);

/// A fitted form where the device's efficiency file has one for this kernel (timing/fitted.hpp),
/// else t = overhead + (compute^p + memory^p)^(1/p). Products also know their CTAs: a grid that
/// does not fill the device cannot stream at full bandwidth, and a started wave is paid in part
/// (DeepGEMM on H800, tiles 128x128 shrinking to 64x32: median error 7.5 %).
OpTime time_of(const ops::Op& op, const hw::Cluster& cluster, const InSitu& in_situ);

}  // namespace fathom::timing
