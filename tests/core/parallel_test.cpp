#include "core/parallel.hpp"

#include <atomic>
#include <stdexcept>
#include <string>

#include "catch.hpp"

namespace fathom {
namespace {

TEST_CASE("every index runs exactly once on any number of threads", "[core][parallel]") {
  const int threads = GENERATE(0, 1, 2, 7, 64);
  CAPTURE(threads);
  std::vector<std::atomic<int>> runs(1000);
  parallel_for(1000, threads, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
  for (const auto& count : runs) REQUIRE(count == 1);
}

TEST_CASE("results come back in index order", "[core][parallel][property]") {
  const int threads = GENERATE(1, 3, 8);
  const auto squares = parallel_map(500, threads, [](std::int64_t i) { return i * i; });
  REQUIRE(squares.size() == 500);
  for (std::int64_t i = 0; i < 500; ++i) REQUIRE(squares[static_cast<std::size_t>(i)] == i * i);
}

TEST_CASE("the exception of the lowest index wins on any number of threads", "[core][parallel]") {
  const int threads = GENERATE(1, 2, 8);
  CAPTURE(threads);
  const auto failing = [](std::int64_t i) {
    if (i % 100 == 37) throw std::runtime_error(std::to_string(i));
  };
  for (int repeat = 0; repeat < 20; ++repeat) {
    CHECK_THROWS_WITH(parallel_for(1000, threads, failing), "37");
  }
}

TEST_CASE("nothing to do is done at once", "[core][parallel]") {
  parallel_for(0, 4, [](std::int64_t) { FAIL("called"); });
  parallel_for(-3, 4, [](std::int64_t) { FAIL("called"); });
  CHECK(parallel_map(0, 4, [](std::int64_t i) { return i; }).empty());
}

TEST_CASE("there is always at least one thread", "[core][parallel]") {
  CHECK(hardware_threads() >= 1);
}

}  // namespace
}  // namespace fathom
