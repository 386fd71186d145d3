#include "kernels/ref/paged_cache.hpp"

#include <array>
#include <random>

#include "catch.hpp"

namespace fathom::kernels {
namespace {

using ref::PagedCache;

std::vector<double> filled(double value) { return {value, -value}; }

/// `count` rows starting with `first`.
void append(PagedCache<double>& cache, std::int64_t seq, int first, int count) {
  for (int i = first; i < first + count; ++i) cache.append(seq, filled(i));
}

double at(const PagedCache<double>& cache, std::int64_t seq, std::int64_t position) {
  return cache.row(seq, position).front();
}

TEST_CASE("a sequence holds as many blocks as its rows fill, ends included", "[kernels][cache]") {
  for (const std::int64_t length : {0, 1, 3, 4, 5, 8, 9}) {
    PagedCache<double> cache{4, 2};
    const auto seq = cache.add_sequence();
    append(cache, seq, 0, static_cast<int>(length));
    CHECK(cache.blocks_held() == (length + 3) / 4);
    CHECK(cache.bytes_held(2) == (length + 3) / 4 * 4 * 2 * 2);
    for (std::int64_t t = 0; t < length; ++t) CHECK(at(cache, seq, t) == static_cast<double>(t));
  }
}

TEST_CASE("a shared prefix is held once", "[kernels][cache]") {
  PagedCache<double> cache{4, 2};
  const auto first = cache.add_sequence();
  append(cache, first, 0, 8);
  const auto second = cache.share_prefix(first, 8);
  append(cache, second, 8, 1);
  CHECK(cache.blocks_held() == 3);  // two shared, one of its own; four without sharing
  CHECK(cache.length(first) == 8);
  CHECK(cache.length(second) == 9);
  for (std::int64_t t = 0; t < 9; ++t) CHECK(at(cache, second, t) == static_cast<double>(t));
}

TEST_CASE("whoever writes into a shared block first copies it", "[kernels][cache]") {
  const bool twin_writes = GENERATE(true, false);
  PagedCache<double> cache{4, 2};
  const auto first = cache.add_sequence();
  append(cache, first, 0, 6);
  const auto twin = cache.share_prefix(first, 6);
  CHECK(cache.blocks_held() == 2);
  append(cache, twin_writes ? twin : first, 100, 1);
  CHECK(cache.blocks_held() == 3);
  append(cache, twin_writes ? first : twin, 200, 1);
  CHECK(cache.blocks_held() == 3);  // the other one now owns the old block alone
  CHECK(at(cache, twin_writes ? twin : first, 6) == 100.0);
  CHECK(at(cache, twin_writes ? first : twin, 6) == 200.0);
  for (const auto seq : {first, twin}) CHECK(at(cache, seq, 5) == 5.0);
}

TEST_CASE("a prefix that ends inside a block leaves the rest to its owner", "[kernels][cache]") {
  PagedCache<double> cache{4, 2};
  const auto first = cache.add_sequence();
  append(cache, first, 0, 8);
  const auto twin = cache.share_prefix(first, 5);
  append(cache, twin, 50, 3);
  CHECK(at(cache, first, 5) == 5.0);
  CHECK(at(cache, twin, 4) == 4.0);
  CHECK(at(cache, twin, 5) == 50.0);
  CHECK(cache.blocks_held() == 3);
}

TEST_CASE("released blocks are used again, shared ones only after their last owner",
          "[kernels][cache]") {
  PagedCache<double> cache{2, 2};
  const auto first = cache.add_sequence();
  append(cache, first, 0, 4);
  const auto twin = cache.share_prefix(first, 2);
  cache.release(first);
  CHECK(cache.blocks_held() == 1);
  CHECK(at(cache, twin, 1) == 1.0);
  cache.release(twin);
  CHECK(cache.blocks_held() == 0);
  const auto next = cache.add_sequence();
  append(cache, next, 70, 3);
  CHECK(cache.blocks_held() == 2);
  CHECK(at(cache, next, 2) == 72.0);
}

TEST_CASE("any interleaving of writes keeps every sequence its own", "[kernels][cache]") {
  std::mt19937_64 random{7};
  PagedCache<double> cache{3, 2};
  std::array<std::vector<double>, 6> expected;
  std::array<std::int64_t, 6> seqs{};
  seqs[0] = cache.add_sequence();
  std::size_t live = 1;
  for (int step = 0; step < 400; ++step) {
    const std::size_t i = random() % live;
    if (random() % 20 == 0 && live < seqs.size()) {
      const auto tokens = static_cast<std::int64_t>(random() % (expected[i].size() + 1));
      seqs[live] = cache.share_prefix(seqs[i], tokens);
      expected[live].assign(expected[i].begin(), expected[i].begin() + tokens);
      ++live;
    } else {
      cache.append(seqs[i], filled(step));
      expected[i].push_back(step);
    }
  }
  REQUIRE(live == seqs.size());
  for (std::size_t i = 0; i < live; ++i) {
    REQUIRE(cache.length(seqs[i]) == static_cast<std::int64_t>(expected[i].size()));
    for (std::size_t t = 0; t < expected[i].size(); ++t) {
      REQUIRE(at(cache, seqs[i], static_cast<std::int64_t>(t)) == expected[i][t]);
    }
  }
}

TEST_CASE("positions that are not cached are refused", "[kernels][cache]") {
  PagedCache<double> cache{2, 2};
  const auto seq = cache.add_sequence();
  append(cache, seq, 0, 1);
  CHECK_THROWS_AS(cache.row(seq, 1), BugError);
  CHECK_THROWS_AS(cache.share_prefix(seq, 2), BugError);
  CHECK_THROWS_AS(cache.append(seq, std::vector<double>{1.0}), BugError);
}

}  // namespace
}  // namespace fathom::kernels
