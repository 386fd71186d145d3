#include "cli/interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <thread>

namespace fathom::cli {
namespace {

// Who asks twice means it; but `timeout` and job launchers signal a process and then its group,
// so what follows within half a second is the same request.
constexpr std::int64_t kSameRequestNs = 500'000'000;

std::atomic<std::int64_t> asked_at_ns{0};  // 0: not yet; threads may be in the handler side by side
static_assert(std::atomic<std::int64_t>::is_always_lock_free);
int wake_up[2] = {-1, -1};

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void on_signal(int number) {
  const std::int64_t now = now_ns();
  std::int64_t first = 0;
  if (asked_at_ns.compare_exchange_strong(first, now)) {
    const char byte = 1;
    [[maybe_unused]] const auto written = write(wake_up[1], &byte, 1);
  } else if (now - first >= kSameRequestNs) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
}

}  // namespace

// A handler may do next to nothing, so it wakes a thread that asks the others to stop.
std::stop_token stop_on_interrupt() {
  static std::stop_source source = [] {
    std::stop_source made;
    if (pipe(wake_up) != 0) return made;
    std::thread{[made]() mutable {
      char byte = 0;
      if (read(wake_up[0], &byte, 1) == 1) made.request_stop();
    }}.detach();
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    return made;
  }();
  return source.get_token();
}

}  // namespace fathom::cli
