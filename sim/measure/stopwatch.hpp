#pragma once

#include <cstddef>
#include <span>

namespace fathom::measure {

/// Seconds of CPU time of the calling thread: leaves out the spells in which another process had
/// the CPU, which is what one thread on a shared machine wants.
double thread_seconds();
/// Seconds of a monotonic wall clock.
double wall_seconds();

/// Which clock fits a pool of this many threads: CPU time for one, wall time for more.
using Clock = double (*)();
Clock clock_for(int threads);
/// What two readings of `clock` in a row differ by, median of many: taken off every reading.
double clock_overhead(Clock clock);

/// Memory that a call reads from DRAM when it is measured cold: weights, a KV cache.
struct Region {
  const void* data = nullptr;
  std::size_t bytes = 0;
};

/// Drops the regions from every cache level (clflush); false where the processor has no such
/// instruction.
bool flush(std::span<const Region> regions);

}  // namespace fathom::measure
