#include "sweep/rows.hpp"

#include "catch.hpp"

using namespace fathom;

TEST_CASE("a cleared block is a new one", "[sweep]") {
  sweep::Block block{.begin = 3,
                     .end = 9,
                     .numbers = {4},
                     .inputs = {1.0},
                     .results = {2.0},
                     .reason = {0},
                     .reasons = {"too big"}};
  block.clear();
  CHECK(block == sweep::Block{});
}
