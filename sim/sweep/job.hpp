#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sweep/database.hpp"
#include "sweep/run.hpp"
#include "sweep/summary.hpp"
#include "sweep/sweep.hpp"

namespace fathom::sweep {

/// A part of a sweep that runs on its own: i of n.
struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;
};
/// "3/16", counted from 0. InputError for anything else.
Shard parse_shard(std::string_view text, std::string_view where);
/// Its points: whole blocks, as evenly as they go. Of few blocks the last shards get none.
PointRange range_of(const Sweep& sweep, const Shard& shard);

/// What a database of this sweep must agree with: the program's version, the sweep with its bases
/// read in, and the models and machines that it names.
Provenance provenance_of(const Sweep& sweep, const study::Library& library,
                         std::string_view version);

struct JobOptions {
  std::string database;
  bool resume = false;
  bool overwrite = false;
  Shard shard;
  RunOptions run;
};

struct JobResult {
  Summary summary;  // of all rows that are stored
  PointRange range;
  std::int64_t next = 0;    // first point not stored; range.end: complete
  std::int64_t before = 0;  // … when this run began
  bool writer = true;       // false on a rank that only helped; the rest is empty then
};

/// Runs a sweep into its database. InputError as Database, and for more than kMaxPoints points at
/// once, with how to shard them.
JobResult run_job(const Sweep& sweep, study::Library& library, const JobOptions& options,
                  std::string_view version);

/// What a sweep would be, without running it.
struct Forecast {
  std::int64_t points = 0;       // numbered, in this shard
  double rows = 0.0;             // that no constraint excludes …
  bool exact_rows = true;        // … counted, or estimated from evenly spaced ones
  double feasible = 0.0;         // share of the rows that were tried
  double seconds_per_row = 0.0;  // on one thread, measured on those
  std::int64_t tried = 0;
};
Forecast forecast(const Sweep& sweep, study::Library& library, const Shard& shard);

}  // namespace fathom::sweep
