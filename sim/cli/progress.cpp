#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "lang/say.hpp"

namespace fathom::cli {
namespace {

constexpr std::chrono::milliseconds kQuiet{2000};
constexpr std::chrono::milliseconds kPause{200};

}  // namespace

Progress::Progress(std::string_view what)
    : what_(lang::tr(what)),
      terminal_(::isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      next_(start_ + kQuiet) {}

// ", 2 min 10 s left": as long again as the rest is larger than what is done.
std::string Progress::time_left(double share, Clock::time_point now) const {
  constexpr double kEnough = 0.02;  // before that the first steps say too little
  if (share < kEnough || share >= 1.0) return {};
  const double passed = std::chrono::duration<double>(now - start_).count();
  const auto left = static_cast<long>(passed * (1.0 - share) / share);
  return ", " + (left < 60 ? lang::say("{} s left", left)
                           : lang::say("{} min {} s left", left / 60, left % 60));
}

void Progress::report(double share) {
  if (!terminal_) return;
  const std::lock_guard lock(mutex_);
  show(share, "");
}

void Progress::report_count(std::int64_t done, std::int64_t all, const char* things) {
  if (!terminal_ || all <= 0) return;
  const std::lock_guard lock(mutex_);
  if (first_count_ < 0) first_count_ = done;
  const double passed = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = static_cast<double>(done - first_count_) / passed;
  show(static_cast<double>(done) / static_cast<double>(all),
       fmt::format(", {:.0f} {}/s", rate, things));
}

void Progress::show(double share, const std::string& rate) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kPause;
  shown_ = true;
  fmt::print(stderr, "\r{}: {:3.0f} %{}{:<16}", what_, 100.0 * share, rate, time_left(share, now));
  std::fflush(stderr);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

}  // namespace fathom::cli
