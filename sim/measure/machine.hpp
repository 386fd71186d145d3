#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kernels/cpu/isa.hpp"

namespace fathom::measure {

/// Where and under which conditions something was measured.
struct Machine {
  std::string model;               // of the processor
  std::vector<std::string> flags;  // instruction sets in use here
  int cpus = 0;                    // usable by this process
  std::int64_t l1d_bytes = 0;
  std::int64_t l2_bytes = 0;
  std::int64_t l3_bytes = 0;
  std::int64_t memory_bytes = 0;     // installed, or the cgroup's limit
  std::int64_t available_bytes = 0;  // free for use now
  std::string huge_pages;            // transparent huge pages: always, madvise, never, unknown
  std::string system;                // kernel name and release
  std::string compiler;
  double load_average = 0.0;  // of the last minute, before measuring
  bool operator==(const Machine&) const = default;
};

Machine this_machine();

/// Processes that want a CPU beyond the ones there are, as far as the load average tells.
bool busy(const Machine& machine);

nlohmann::json to_json(const Machine& machine);

}  // namespace fathom::measure
