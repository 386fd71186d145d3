#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "calib/score.hpp"
#include "hw/cluster.hpp"
#include "ops/op.hpp"

namespace fathom::calib {

/// A kernel measured on the machine at hand, with what the machine gave in the same rounds.
struct LocalSample {
  std::string id;
  hw::Family family = hw::Family::gemm;  // whose efficiency it speaks about
  std::vector<ops::Op> ops;              // all that ran; their times add up
  Seconds time;
  double noise = 0.0;              // relative spread of the readings (MAD over median)
  FlopsPerSecond compute_ceiling;  // of the rounds
  BytesPerSecond memory_ceiling;
};

/// What a family's samples say: shares of the ceilings, a fixed cost, and how far off that is.
struct LocalEntry {
  hw::Family family = hw::Family::gemm;
  hw::Efficiency efficiency;  // with log_sigma
  std::int64_t samples = 0;
  Score in_sample;
  Score leave_one_out;
  Score
      small_to_large;  // fitted on the smaller half, asked about the larger: what extrapolation is
  std::vector<double>
      residuals;  // ln(predicted / measured) of each sample left out, in their order
};

/// Seconds of operators one after the other on `cluster`.
Seconds time_of(std::span<const ops::Op> ops, const hw::Cluster& cluster);

/// The cluster as it was in the rounds of a sample: its ceilings take the place of the profile's.
hw::Cluster as_measured(hw::Cluster cluster, FlopsPerSecond compute, BytesPerSecond memory);

/// Fits each family that has samples, pointwise families first, since composite kernels contain
/// them. `cluster` supplies start values and what is not fitted; its efficiency table is returned
/// with the fitted families in place. Families with fewer than three samples are left alone.
std::vector<LocalEntry> fit_local(std::span<const LocalSample> samples, hw::Cluster& cluster);

}  // namespace fathom::calib
