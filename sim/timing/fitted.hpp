#pragma once

#include <optional>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "ops/op.hpp"

namespace fathom::timing {

struct FitTrace;

/// What a fitted form says about a call, when the device's efficiency file has one for its kernel
/// and the shape is of the kind it was fitted to.
struct FittedTime {
  Seconds total;
  hw::Evidence evidence = hw::Evidence::assumed;
  hw::FormUse use{};
  bool measured = false;  // times the ratio that was measured around this shape
};

/// Whether a device's form times the routed experts as a whole: permutes, activations and casts
/// beside the two products are then inside the products' time.
bool times_experts_whole(const ops::GroupedGemm& op, const hw::Cluster& cluster);

struct FitContext {
  const hw::Cluster& cluster;
  Math math = Math::bf16;                  // of the call's cost
  double sm_share = 1.0;                   // SMs (or rate) that communication kernels leave
  std::vector<FitTrace>* trace = nullptr;  // what was asked of which form, where somebody asks
};

/// The use whose form times an exchange, if the device has one.
std::optional<hw::FormUse> fitted_exchange(const ops::ExpertExchange& op,
                                           const hw::Cluster& cluster);

/// A low-latency exchange is timed whole, whatever part `op` is.
std::optional<FittedTime> fitted_time(const ops::Op& op, const FitContext& context);

}  // namespace fathom::timing
