#include "cli/interrupt.hpp"

#include <unistd.h>

#include <csignal>
#include <thread>

namespace fathom::cli {
namespace {

volatile std::sig_atomic_t signals = 0;
int wake_up[2] = {-1, -1};

void on_signal(int number) {
  if (signals != 0) {
    std::signal(number, SIG_DFL);
    std::raise(number);
    return;
  }
  signals = 1;
  const char byte = 1;
  [[maybe_unused]] const auto written = write(wake_up[1], &byte, 1);
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
