#include "core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

namespace fathom {
namespace {

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

// Chunks are handed out in index order and every chunk below a failed one has been started, so
// the lowest failing index is always reached: which exception is rethrown does not depend on
// timing.
struct Work {
  std::int64_t count;
  std::int64_t chunk;
  const std::function<void(std::int64_t)>& body;
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> failed{kNone};
  std::mutex mutex{};
  std::exception_ptr error{};

  void run_chunk(std::int64_t begin) {
    const std::int64_t end = std::min(count, begin + chunk);
    std::int64_t i = begin;
    try {
      for (; i < end; ++i) body(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < failed.load()) {
        failed = i;
        error = std::current_exception();
      }
    }
  }

  void run() {
    for (;;) {
      const std::int64_t begin = next.fetch_add(chunk);
      if (begin >= count || begin > failed.load()) return;
      run_chunk(begin);
    }
  }
};

}  // namespace

int hardware_threads() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body) {
  if (count <= 0) return;
  const std::int64_t wanted =
      std::min<std::int64_t>(threads > 0 ? threads : hardware_threads(), count);
  // Small enough to balance uneven work, large enough that the counter is not contended.
  Work work{count, std::clamp<std::int64_t>(count / (wanted * 16), 1, 64), body};
  {
    std::vector<std::jthread> workers;
    try {
      for (std::int64_t t = 1; t < wanted; ++t) workers.emplace_back([&work] { work.run(); });
    } catch (const std::system_error&) {
      // The system refuses more threads: those that started, and this one, do the work.
    }
    work.run();
  }
  if (work.error) std::rethrow_exception(work.error);
}

}  // namespace fathom
