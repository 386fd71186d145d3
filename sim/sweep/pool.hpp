#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "sweep/evaluator.hpp"

namespace fathom::sweep {

/// Threads that answer runs of points; blocks come back in any order.
class Pool {
 public:
  Pool(const Sweep& sweep, study::Library& library, int threads);
  ~Pool();

  void submit(std::int64_t begin, std::int64_t end);
  /// A finished block, waiting for one at most `patience`. Rethrows what an evaluator threw.
  std::optional<Block> take(std::chrono::microseconds patience);
  /// A block whose storage may be used again.
  void recycle(Block block);
  /// Submitted and not yet taken.
  std::size_t pending() const { return pending_; }
  std::size_t threads() const { return threads_.size(); }

 private:
  void work(const Sweep& sweep, study::Library& library, const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any work_;
  std::condition_variable done_;
  std::deque<std::pair<std::int64_t, std::int64_t>> asked_;
  std::deque<Block> answered_;
  std::vector<Block> spare_;
  std::exception_ptr error_;
  std::size_t pending_ = 0;  // of the owner's thread only
  std::vector<std::jthread> threads_;
};

}  // namespace fathom::sweep
