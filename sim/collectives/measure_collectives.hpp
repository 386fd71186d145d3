#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/collective_fit.hpp"
#include "collectives/communicator.hpp"
#include "measure/machine.hpp"
#include "report/document.hpp"

namespace fathom::collectives {

struct CollectiveOptions {
  int rounds = 20;             // kept ones
  double seconds = 3.0;        // give up on more rounds after this long
  double shortest = 300e-6;    // a reading is as many calls as fill this
  std::int64_t size_step = 4;  // between message sizes: 1 KiB, 4 KiB, …
  std::int64_t largest = INT64_C(64) << 20;
  std::vector<std::string> only;  // parts of a collective's name
  std::uint64_t seed = 1;
  std::function<void(double share, const std::string& next)> progress;
};

struct RanksMeasurement {
  measure::Machine machine;
  std::string mpi;  // library and version
  int ranks = 0;
  std::uint64_t seed = 1;
  std::vector<CollectiveReading> readings;
  RanksModel model;
  bool complete = true;  // false: stopped before the end; what is there is whole
};

/// All sizes of all collectives. Each is run once on poisoned outputs and checked, then warmed up;
/// a round is a barrier and as many calls as fill the shortest reading, its time that of the
/// slowest rank. Rounds in which a rank waited for a CPU do not count. A stop request on any rank
/// ends it on all. Called by every rank; each returns the same.
RanksMeasurement measure_collectives(Communicator& ranks, const CollectiveOptions& options,
                                     std::stop_token stop = {});

nlohmann::json to_json(const RanksMeasurement& measurement);
report::Document page(const RanksMeasurement& measurement);

}  // namespace fathom::collectives
