#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "measure/random_data.hpp"
#include "measure/sampled_error.hpp"
#include "measure/stopwatch.hpp"
#include "measure/summary.hpp"

// What a figure is made of: readings, clocks, random operands, sampled errors.

namespace fathom::measure {
namespace {

using kernels::cpu::Bf16;

std::vector<Bf16> random_bf16(std::size_t count, float scale, std::uint64_t seed) {
  std::vector<Bf16> out(count);
  fill_random(std::span{out}, scale, seed);
  return out;
}

}  // namespace

TEST_CASE("a summary of an odd number of readings is the middle one", "[measure][summary]") {
  // sorted 1 2 3 5 100; distances from 3: 2 1 0 2 97, sorted 0 1 2 2 97
  const Summary s = summarize({5.0, 1.0, 100.0, 2.0, 3.0});
  CHECK(s == Summary{.median = 3.0, .mad = 2.0, .low = 1.0, .high = 100.0, .count = 5});
}

TEST_CASE("a summary of an even number lies between the two middle ones", "[measure][summary]") {
  // sorted 2 4 8 10: median 6; distances 4 2 2 4: 3
  const Summary s = summarize({10.0, 2.0, 8.0, 4.0});
  CHECK(s == Summary{.median = 6.0, .mad = 3.0, .low = 2.0, .high = 10.0, .count = 4});
}

TEST_CASE("one outlier moves neither median nor spread", "[measure][summary]") {
  const Summary quiet = summarize({1.0, 2.0, 3.0, 4.0, 5.0});
  const Summary loud = summarize({1.0, 2.0, 3.0, 4.0, 5e9});
  CHECK(loud.median == quiet.median);
  CHECK(loud.mad == quiet.mad);
}

TEST_CASE("no readings give nothing, and JSON keeps every figure", "[measure][summary]") {
  CHECK(summarize({}) == Summary{});
  const Summary s = summarize({0.1, 0.2, 0.7});
  CHECK(summary_from_json(to_json(s), "test#") == s);
}

TEST_CASE("clocks never run backwards", "[measure][stopwatch]") {
  const int threads = GENERATE(1, 2);
  const Clock clock = clock_for(threads);
  double last = clock();
  for (int i = 0; i < 10'000; ++i) {
    const double now = clock();
    REQUIRE(now >= last);
    last = now;
  }
  CHECK(clock_overhead(clock) >= 0.0);
}

TEST_CASE("one thread is timed by its own CPU time, several by the wall", "[measure][stopwatch]") {
  CHECK(clock_for(1) == &thread_seconds);
  CHECK(clock_for(2) == &wall_seconds);
}

TEST_CASE("flushing leaves what is flushed as it was", "[measure][stopwatch]") {
  std::vector<int> data(100'000, 42);
  const std::array regions{Region{data.data(), data.size() * sizeof(int)}, Region{}};
#if defined(__x86_64__)
  CHECK(flush(regions));
#else
  CHECK_FALSE(flush(regions));
#endif
  CHECK(flush({}));
  CHECK(std::count(data.begin(), data.end(), 42) == 100'000);
}

TEST_CASE("a seed is one stream of data", "[measure][random]") {
  CHECK(random_bf16(1000, 1.0F, 7) == random_bf16(1000, 1.0F, 7));
  CHECK(random_bf16(1000, 1.0F, 7) != random_bf16(1000, 1.0F, 8));
  const auto longer = random_bf16(1001, 1.0F, 7);
  const auto shorter = random_bf16(1000, 1.0F, 7);
  CHECK(std::equal(shorter.begin(), shorter.end(), longer.begin()));
}

TEST_CASE("random data fill their range and are centred", "[measure][random]") {
  constexpr float kScale = 3.0F;
  constexpr std::size_t kCount = 40'000;
  std::vector<float> data(kCount);
  fill_random(std::span{data}, kScale, 11);
  double sum = 0.0;
  double squares = 0.0;
  for (const float value : data) {
    REQUIRE((value >= -kScale && value < kScale));
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  // Uniform in [-a, a): variance a^2 / 3, so the mean of n has a deviation of a / sqrt(3 n).
  const double deviation = 3.0 / std::sqrt(3.0 * static_cast<double>(kCount));
  CHECK(std::abs(sum / static_cast<double>(kCount)) < 5.0 * deviation);
  CHECK(std::abs(squares / static_cast<double>(kCount) - 3.0) < 0.1);
  for (const Bf16 value : random_bf16(kCount, kScale, 11))
    REQUIRE(std::abs(kernels::cpu::to_float(value)) <= kScale);
}

TEST_CASE("a poisoned output makes the error infinite", "[measure][error]") {
  SampledError error;
  error.add(3.0, 4.0);
  error.add(3.0, 3.0);
  CHECK(std::abs(error.value() - 1.0 / 5.0) < 1e-15);  // sqrt(1) / sqrt(16 + 9)
  error.add(std::nan(""), 1.0);
  CHECK(std::isinf(error.value()));
}

TEST_CASE("samples are spread from the first to the last", "[measure][error]") {
  CHECK(spread(3, 8) == std::vector<std::int64_t>{0, 1, 2});
  CHECK(spread(101, 5) == std::vector<std::int64_t>{0, 25, 50, 75, 100});
}

}  // namespace fathom::measure
