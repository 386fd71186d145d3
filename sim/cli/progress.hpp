#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace fathom::cli {

/// A share done and the time left on standard error, for work that takes more than two seconds and
/// a terminal that can overwrite its line. Safe to report from any thread.
class Progress {
 public:
  explicit Progress(std::string what);
  void report(double share);
  /// Takes the line away again.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(double share, Clock::time_point now) const;
  std::string what_;
  bool terminal_ = false;
  bool shown_ = false;
  Clock::time_point start_;
  Clock::time_point next_;
  std::mutex mutex_;
};

}  // namespace fathom::cli
