#include "measure/stopwatch.hpp"

#include <chrono>
#include <ctime>
#include <vector>

#include "measure/summary.hpp"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace fathom::measure {

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double wall_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

Clock clock_for(int threads) { return threads == 1 ? thread_seconds : wall_seconds; }

double clock_overhead(Clock clock) {
  std::vector<double> readings;
  for (int i = 0; i < 101; ++i) {
    const double start = clock();
    readings.push_back(clock() - start);
  }
  return summarize(readings).median;
}

bool flush(std::span<const Region> regions) {
#if defined(__x86_64__)
  constexpr std::size_t kLine = 64;
  for (const Region& region : regions) {
    const auto* bytes = static_cast<const char*>(region.data);
    for (std::size_t at = 0; at < region.bytes; at += kLine) _mm_clflush(bytes + at);
  }
  _mm_mfence();
  return true;
#else
  return regions.empty();
#endif
}

}  // namespace fathom::measure
