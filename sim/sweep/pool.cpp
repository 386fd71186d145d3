#include "sweep/pool.hpp"

namespace fathom::sweep {

Pool::Pool(const Sweep& sweep, study::Library& library, int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back(
        [this, &sweep, &library](const std::stop_token& stop) { work(sweep, library, stop); });
  }
}

Pool::~Pool() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Pool::submit(std::int64_t begin, std::int64_t end) {
  {
    const std::scoped_lock lock(mutex_);
    asked_.emplace_back(begin, end);
  }
  ++pending_;
  work_.notify_one();
}

std::optional<Block> Pool::take(std::chrono::microseconds patience) {
  std::unique_lock lock(mutex_);
  done_.wait_for(lock, patience, [this] { return !answered_.empty() || error_; });
  if (error_) std::rethrow_exception(error_);
  if (answered_.empty()) return std::nullopt;
  Block block = std::move(answered_.front());
  answered_.pop_front();
  --pending_;
  return block;
}

void Pool::recycle(Block block) {
  const std::scoped_lock lock(mutex_);
  spare_.push_back(std::move(block));
}

void Pool::work(const Sweep& sweep, study::Library& library, const std::stop_token& stop) {
  Evaluator evaluator(sweep, library);
  while (true) {
    std::pair<std::int64_t, std::int64_t> range;
    Block block;
    {
      std::unique_lock lock(mutex_);
      if (!work_.wait(lock, stop, [this] { return !asked_.empty(); })) return;
      range = asked_.front();
      asked_.pop_front();
      if (!spare_.empty()) {
        block = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    try {
      evaluator.run(range.first, range.second, block);
      const std::scoped_lock lock(mutex_);
      answered_.push_back(std::move(block));
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    done_.notify_one();
  }
}

}  // namespace fathom::sweep
