#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace fathom::kernels::cpu {

/// A fixed set of threads, one per CPU, for kernels that run for microseconds: workers spin for a
/// moment between calls before they sleep. The caller is worker 0. One `run` at a time.
class ThreadPool {
 public:
  /// `threads` <= 0: one per usable CPU. With `pin`, worker i runs on the i-th usable CPU only (the
  /// caller too, until the pool ends); more threads than CPUs are not pinned.
  explicit ThreadPool(int threads, bool pin = true);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const;

  /// `task(worker)` once on every worker, 0 <= worker < size(); returns when all have finished.
  /// A task must not throw.
  template <class Task>
  void run(Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run_plain([](void* context, int worker) { (*static_cast<Plain*>(context))(worker); },
              const_cast<void*>(static_cast<const void*>(&task)));
  }

  /// CPU seconds that all workers have used so far, the caller's included: against wall time it
  /// tells whether the threads really had their CPUs.
  double cpu_seconds() const;

 private:
  using PlainTask = void (*)(void* context, int worker);
  void run_plain(PlainTask task, void* context);
  struct State;
  std::unique_ptr<State> state_;
};

/// Half-open part of 0..count that worker `worker` of `workers` takes, cut at multiples of `grain`.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const Range&) const = default;
};
Range part_of(std::int64_t count, std::int64_t grain, int worker, int workers);

}  // namespace fathom::kernels::cpu
