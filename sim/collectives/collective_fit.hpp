#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "calib/score.hpp"
#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "measure/summary.hpp"
#include "ops/op.hpp"

namespace fathom::collectives {

enum class CollectiveKind : std::uint8_t { all_reduce, all_gather, all_to_all, dispatch, combine };
inline constexpr std::size_t kCollectiveKinds = 5;
std::string_view name(CollectiveKind kind);

/// One collective at one size on all ranks.
struct CollectiveReading {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Bytes payload;            // as ops::Collective counts it; dispatch, combine: a rank's tokens
  std::int64_t rows = 0;    // dispatch, combine: tokens per rank
  int calls = 1;            // per round
  measure::Summary time_s;  // of one call, on the slowest rank
  std::int64_t dropped = 0;
  bool disturbed = false;  // no round was quiet: these are all of them
};

/// The same call as the estimator knows it.
ops::Op op_of(const CollectiveReading& reading, int ranks);
/// What a rank sends and receives through the link, as net/collective_time.hpp counts it. For
/// all_reduce 2 (n-1)/n of the payload, for all_gather and all_to_all (n-1)/n.
Bytes moved(const CollectiveReading& reading, int ranks);

/// t = alpha + moved / beta of one collective.
struct AlphaBeta {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Seconds alpha;
  BytesPerSecond beta;
  calib::Score in_sample;
  calib::Score leave_one_out;
  struct LeftOut {
    Bytes payload;
    double error = 0.0;  // prediction without this size over measurement, less 1
  };
  std::vector<LeftOut> left_out;
};

/// What the analytic model says of these ranks: one scale-up domain of which every collective has a
/// share of the bandwidth and a fixed cost of its own.
struct RanksModel {
  std::vector<AlphaBeta> fits;  // of kinds with at least four sizes; disturbed ones take no part
                                // where enough others are left
  hw::Cluster cluster;          // meaningful when there are fits
};

RanksModel fit_ranks(const std::vector<CollectiveReading>& readings, int ranks);

/// net::time_of on the fitted cluster.
Seconds modelled(const CollectiveReading& reading, const RanksModel& model, int ranks);

}  // namespace fathom::collectives
