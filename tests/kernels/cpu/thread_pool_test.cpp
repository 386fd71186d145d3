#include "kernels/cpu/thread_pool.hpp"

#include <atomic>
#include <numeric>
#include <vector>

#include "catch.hpp"
#include "kernels/cpu/buffer.hpp"

namespace fathom::kernels::cpu {

TEST_CASE("every worker runs every task once", "[cpu][threads]") {
  const int threads = GENERATE(1, 2, 3, 7);
  ThreadPool pool{threads};
  REQUIRE(pool.size() == threads);
  std::vector<int> runs(static_cast<std::size_t>(threads));
  for (int round = 0; round < 200; ++round)
    pool.run([&](int worker) { ++runs[static_cast<std::size_t>(worker)]; });
  CHECK(runs == std::vector<int>(static_cast<std::size_t>(threads), 200));
}

TEST_CASE("run returns only when all workers have finished", "[cpu][threads]") {
  ThreadPool pool{2};
  std::atomic<int> sum{0};
  for (int round = 1; round <= 100; ++round) {
    pool.run([&](int worker) { sum += worker + 1; });
    REQUIRE(sum == 3 * round);
  }
}

TEST_CASE("parts cover the work once, in order, at multiples of the grain", "[cpu][threads]") {
  const std::int64_t count = GENERATE(0, 1, 31, 32, 33, 1000);
  const std::int64_t grain = GENERATE(1, 16, 32);
  const int workers = GENERATE(1, 2, 5);
  std::int64_t at = 0;
  for (int w = 0; w < workers; ++w) {
    const Range part = part_of(count, grain, w, workers);
    CHECK(part.begin == at);
    CHECK(part.end >= part.begin);
    CHECK((part.end % grain == 0 || part.end == count));
    at = part.end;
  }
  CHECK(at == count);
}

TEST_CASE("a buffer is zeroed and aligned, large or small", "[cpu][buffer]") {
  const std::int64_t count = GENERATE(1, 100, 3'000'000);
  Buffer<float> buffer{count};
  CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
  CHECK(std::accumulate(buffer.span().begin(), buffer.span().end(), 0.0F) == 0.0F);
}

}  // namespace fathom::kernels::cpu
