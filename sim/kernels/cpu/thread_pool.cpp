#include "kernels/cpu/thread_pool.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "kernels/cpu/isa.hpp"

namespace fathom::kernels::cpu {
namespace {

// Turns a worker spins before it sleeps: tens of microseconds, the gap between two kernels of a
// layer. Longer would steal the CPU from whoever shares it.
constexpr int kSpins = 20'000;

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);  // refused: runs unpinned
}

/// Waits until `value` differs from `seen`; spins first, then sleeps.
template <class T>
T wait_for_change(const std::atomic<T>& value, T seen) {
  for (int i = 0; i < kSpins; ++i) {
    const T now = value.load(std::memory_order_acquire);
    if (now != seen) return now;
    pause_cpu();
  }
  value.wait(seen, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

double cpu_seconds_of(pthread_t thread) {
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0.0;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

struct ThreadPool::State {
  PlainTask task = nullptr;
  void* context = nullptr;
  std::atomic<std::uint32_t> round{0};  // a new value starts a run, or ends the workers
  std::atomic<int> busy{0};
  bool stop = false;
  bool pinned = false;
  cpu_set_t callers_cpus{};
  pthread_t caller = pthread_self();
  std::vector<std::thread> workers;

  void serve(int worker, int cpu) {
    if (cpu >= 0) pin_to(cpu);
    std::uint32_t seen = 0;
    while (true) {
      seen = wait_for_change(round, seen);
      if (stop) return;
      task(context, worker);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) busy.notify_one();
    }
  }

  void start_round() {
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }
};

ThreadPool::ThreadPool(int threads, bool pin) : state_(std::make_unique<State>()) {
  const std::vector<int> cpus = usable_cpus();
  const int count = threads > 0 ? threads : static_cast<int>(cpus.size());
  state_->pinned = pin && count <= static_cast<int>(cpus.size());
  if (state_->pinned) {
    pthread_getaffinity_np(pthread_self(), sizeof state_->callers_cpus, &state_->callers_cpus);
    pin_to(cpus.front());
  }
  for (int i = 1; i < count; ++i) {
    const int cpu = state_->pinned ? cpus[static_cast<std::size_t>(i)] : -1;
    state_->workers.emplace_back([state = state_.get(), i, cpu] { state->serve(i, cpu); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->start_round();
  for (std::thread& worker : state_->workers) worker.join();
  if (state_->pinned)
    pthread_setaffinity_np(state_->caller, sizeof state_->callers_cpus, &state_->callers_cpus);
}

int ThreadPool::size() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run_plain(PlainTask task, void* context) {
  if (state_->workers.empty()) return task(context, 0);
  state_->task = task;
  state_->context = context;
  state_->busy.store(static_cast<int>(state_->workers.size()), std::memory_order_relaxed);
  state_->start_round();
  task(context, 0);
  for (int left = state_->busy.load(std::memory_order_acquire); left != 0;)
    left = wait_for_change(state_->busy, left);
}

double ThreadPool::cpu_seconds() const {
  double sum = cpu_seconds_of(pthread_self());
  for (std::thread& worker : state_->workers) sum += cpu_seconds_of(worker.native_handle());
  return sum;
}

Range part_of(std::int64_t count, std::int64_t grain, int worker, int workers) {
  FATHOM_EXPECT(grain > 0 && worker >= 0 && worker < workers, "a part of the work");
  const std::int64_t grains = (count + grain - 1) / grain;
  const auto cut = [&](std::int64_t i) { return std::min(count, grains * i / workers * grain); };
  return {cut(worker), cut(worker + 1)};
}

}  // namespace fathom::kernels::cpu
