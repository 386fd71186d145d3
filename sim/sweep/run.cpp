#include "sweep/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "sweep/message.hpp"
#include "sweep/pool.hpp"

namespace fathom::sweep {
namespace {

using std::chrono::microseconds;

// Two pieces of work for each thread: one under way, one to go on with.
constexpr std::size_t kPerThread = 2;
// Answered blocks that wait for an earlier one, before no more work is handed out.
constexpr std::int64_t kWindow = 64;
constexpr microseconds kPatience{2000};
constexpr microseconds kPollPatience{200};  // when ranks may have something to say

// What rank 0 knows of another one.
struct Remote {
  std::size_t threads = 0;  // 0: it has not reported yet
  std::size_t pending = 0;
};

class Dispatch {
 public:
  Dispatch(Pool& pool, PointRange range, const RunOptions& options,
           const std::function<void(const Block&)>& sink, const std::string& identity)
      : pool_(pool),
        options_(options),
        sink_(sink),
        identity_(identity),
        next_(range.begin),
        written_(range.begin),
        range_(range) {
    if (options.peers != nullptr) remotes_.resize(static_cast<std::size_t>(options.peers->ranks()));
  }

  std::int64_t run() {
    while (written_ < range_.end && !stopped()) {
      hand_out();
      const bool alone = options_.peers == nullptr;
      if (auto block = pool_.take(alone ? kPatience : kPollPatience)) keep(*std::move(block));
      if (!alone) listen();
      write();
    }
    dismiss();
    return written_;
  }

  /// Tells every rank that nothing more is to be done, and takes what is still under way: a rank
  /// cannot leave while a message of its own waits.
  void dismiss() {
    if (remotes_.empty()) return;
    for (std::size_t r = 1; r < remotes_.size(); ++r)
      options_.peers->send(static_cast<int>(r), encode(Assignment{}));
    std::size_t present = remotes_.size() - 1;
    remotes_.clear();
    while (present > 0) {
      if (const auto message = options_.peers->poll()) {
        present -= decode_reply(message->bytes).goodbye ? 1 : 0;
      } else {
        std::this_thread::sleep_for(kPollPatience);
      }
    }
  }

 private:
  bool stopped() const { return options_.stop.stop_requested(); }

  bool more() const { return next_ < range_.end && next_ - written_ < kWindow * kBlockPoints; }

  Assignment take_next() {
    const std::int64_t begin = next_;
    next_ = block_end(begin, range_);
    return {begin, next_};
  }

  void hand_out() {
    while (more() && pool_.pending() < kPerThread * pool_.threads()) {
      const Assignment a = take_next();
      pool_.submit(a.begin, a.end);
    }
    for (std::size_t r = 1; r < remotes_.size(); ++r) {
      Remote& remote = remotes_[r];
      while (more() && remote.pending < kPerThread * remote.threads) {
        options_.peers->send(static_cast<int>(r), encode(take_next()));
        ++remote.pending;
      }
    }
  }

  void listen() {
    while (auto message = options_.peers->poll()) {
      Remote& remote = remotes_[static_cast<std::size_t>(message->from)];
      const Reply reply = decode_reply(message->bytes);
      if (!reply.error.empty())
        throw InputError(fmt::format("rank {}: {}", message->from, reply.error));
      if (reply.threads > 0) {
        if (reply.identity != identity_) {
          throw InputError(fmt::format(
              "rank {} reads other inputs or is another version than rank 0; all ranks need the "
              "same program, sweep, models and profiles",
              message->from));
        }
        remote.threads = reply.threads;
      } else {
        --remote.pending;
        keep(decode_block(message->bytes));
      }
    }
  }

  void keep(Block block) {
    const std::int64_t begin = block.begin;
    waiting_.emplace(begin, std::move(block));
  }

  void write() {
    while (!waiting_.empty() && waiting_.begin()->first == written_ && !stopped()) {
      Block block = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      sink_(block);
      written_ = block.end;
      pool_.recycle(std::move(block));
      if (options_.progress) options_.progress(written_);
    }
  }

  Pool& pool_;
  const RunOptions& options_;
  const std::function<void(const Block&)>& sink_;
  const std::string& identity_;
  std::int64_t next_;     // to hand out
  std::int64_t written_;  // everything before it
  PointRange range_;
  std::map<std::int64_t, Block> waiting_;
  std::vector<Remote> remotes_;
};

// A rank other than 0.
void serve(Pool& pool, Peers& peers, const std::string& identity) {
  peers.send(0, encode_hello(pool.threads(), identity));
  bool dismissed = false;
  while (!dismissed) {
    while (auto message = peers.poll()) {
      const Assignment a = decode_assignment(message->bytes);
      if (a.begin == a.end) {
        dismissed = true;
      } else {
        pool.submit(a.begin, a.end);
      }
    }
    if (dismissed) break;
    if (pool.pending() == 0) {
      std::this_thread::sleep_for(kPollPatience);
    } else if (auto block = pool.take(kPollPatience)) {
      peers.send(0, encode(*block));
      pool.recycle(*std::move(block));
    }
  }
}

}  // namespace

std::int64_t run_points(const Sweep& sweep, study::Library& library, PointRange range,
                        const RunOptions& options, const std::function<void(const Block&)>& sink,
                        const std::string& identity) {
  Pool pool(sweep, library, options.threads > 0 ? options.threads : hardware_threads());
  if (options.peers != nullptr && options.peers->rank() != 0) {
    try {
      serve(pool, *options.peers, identity);
    } catch (const std::exception& error) {
      options.peers->send(0, encode_error(error.what()));
    }
    options.peers->send(0, encode_goodbye());
    return range.end;
  }
  Dispatch dispatch(pool, range, options, sink, identity);
  try {
    return dispatch.run();
  } catch (...) {
    dispatch.dismiss();
    throw;
  }
}

}  // namespace fathom::sweep
