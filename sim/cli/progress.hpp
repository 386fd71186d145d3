#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace fathom::cli {

/// A share done and the time left on standard error, for work that takes more than two seconds and
/// a terminal that can overwrite its line. Safe to report from any thread.
class Progress {
 public:
  explicit Progress(std::string_view what);
  void report(double share);
  /// The same of countable things, with how many a second.
  void report_count(std::int64_t done, std::int64_t all, const char* things);
  /// Takes the line away again.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(double share, Clock::time_point now) const;
  void show(double share, const std::string& rate);
  std::string what_;
  std::int64_t first_count_ = -1;  // what was done before this run
  bool terminal_ = false;
  bool shown_ = false;
  Clock::time_point start_;
  Clock::time_point next_;
  std::mutex mutex_;
};

}  // namespace fathom::cli
