#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "sweep/database.hpp"
#include "sweep/peers.hpp"
#include "sweep/rows.hpp"
#include "sweep/sweep.hpp"

namespace fathom::sweep {

struct RunOptions {
  int threads = 0;                             // of this process; 0: all cores it may use
  std::function<void(std::int64_t)> progress;  // first point not yet handed over
  std::stop_token stop;                        // asked between blocks
  Peers* peers = nullptr;                      // null: this process alone
};

/// Answers the points of `range` and hands them to `sink` block by block, in order, on this thread.
/// Idle threads and ranks take the next block there is, so uneven points even out. Returns the
/// first point that was not handed over: its end, unless stopped. What sink throws ends the run. On
/// ranks other than 0: answers what rank 0 asks for until it is done, and returns the end; sink is
/// not called. `identity` must be the same on every rank: InputError otherwise.
std::int64_t run_points(const Sweep& sweep, study::Library& library, PointRange range,
                        const RunOptions& options, const std::function<void(const Block&)>& sink,
                        const std::string& identity);

}  // namespace fathom::sweep
