#include "forms/expert_load.hpp"

#include <algorithm>
#include <numeric>

#include "catch.hpp"

using namespace fathom::forms;

TEST_CASE("a draw routes every token to topk experts, none twice", "[forms][load]") {
  const LoadKey key{.tokens = GENERATE(3, 64, 1000, 20000),
                    .experts = GENERATE(128, 256),
                    .topk = 8,
                    .exponent = GENERATE(1.01, 1.2)};
  CAPTURE(key.tokens, key.experts, key.exponent);
  for (const ExpertRows& rows : draw_loads(key)) {
    CHECK(std::accumulate(rows.begin(), rows.end(), 0.0) ==
          static_cast<double>(key.tokens * key.topk));
    CHECK(*std::max_element(rows.begin(), rows.end()) <= static_cast<double>(key.tokens));
    CHECK(*std::min_element(rows.begin(), rows.end()) >= 0.0);
  }
}

TEST_CASE("a balanced load splits the pairs evenly", "[forms][load]") {
  ExpertLoads loads;
  const RankLoad load = loads.most_loaded({.tokens = 1024, .experts = 256, .topk = 8, .ranks = 32});
  CHECK(load.active_experts == 8.0);        // 256 / 32
  CHECK(load.rows == 1024.0 * 8.0 / 32.0);  // pairs of one rank
  CHECK(load.rows_16 == load.rows);         // 32 rows an expert
  CHECK(load.rows_64 == 8.0 * 64.0);
  CHECK(load.rows_128 == 8.0 * 128.0);
}

TEST_CASE("fewer pairs than experts leave experts idle", "[forms][load]") {
  ExpertLoads loads;
  const RankLoad load = loads.most_loaded({.tokens = 4, .experts = 256, .topk = 8, .ranks = 8});
  CHECK(load.active_experts == 4.0);  // 32 pairs over 256 experts: one in eight of 32
  CHECK(load.rows == 4.0);
}

TEST_CASE("one or two tokens cannot be skewed", "[forms][load]") {
  ExpertLoads loads;
  const LoadKey even{.tokens = 2, .experts = 256, .topk = 8, .ranks = 8};
  LoadKey skewed = even;
  skewed.exponent = 1.2;
  CHECK(loads.most_loaded(even) == loads.most_loaded(skewed));
}

TEST_CASE("skew puts more rows on the busiest rank, and one rank takes them all",
          "[forms][load][property]") {
  ExpertLoads loads;
  const auto tokens = GENERATE(64, 1024, 16384);
  const LoadKey even{.tokens = tokens, .experts = 256, .topk = 8, .ranks = 16};
  LoadKey mild = even;
  mild.exponent = 1.01;
  LoadKey strong = even;
  strong.exponent = 1.2;
  CHECK(loads.most_loaded(mild).rows > loads.most_loaded(even).rows);
  CHECK(loads.most_loaded(strong).rows > loads.most_loaded(mild).rows);
  strong.ranks = 1;
  CHECK(loads.most_loaded(strong).rows == static_cast<double>(8 * tokens));
}

TEST_CASE("loads are the same in every run and order", "[forms][load]") {
  const LoadKey a{.tokens = 512, .experts = 256, .topk = 8, .ranks = 8, .exponent = 1.2};
  LoadKey b = a;
  b.ranks = 64;
  ExpertLoads first;
  ExpertLoads second;
  const RankLoad a_first = first.most_loaded(a);
  const RankLoad b_second = second.most_loaded(b);
  CHECK(first.most_loaded(b) == b_second);
  CHECK(second.most_loaded(a) == a_first);
}
