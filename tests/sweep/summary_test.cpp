#include "sweep/summary.hpp"

#include <limits>

#include "catch.hpp"

using namespace fathom::sweep;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Rows of two results, cost and speed; a NaN in both stands for a reason.
Block block_of(std::int64_t begin, const std::vector<std::pair<double, double>>& rows,
               double base = 0.0) {
  Block block{.begin = begin, .end = begin + static_cast<std::int64_t>(rows.size())};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    block.numbers.push_back(begin + static_cast<std::int64_t>(i));
    block.inputs.insert(block.inputs.end(), {base, static_cast<double>(i)});
    block.results.insert(block.results.end(), {rows[i].first, rows[i].second});
    block.reason.push_back(-1);
  }
  return block;
}

Summarizer summarizer() {
  return {{.inputs = {{"base", ColumnKind::text, {"decode", "prefill"}}, {.name = "/plan/tp"}},
           .results = {{.name = "cost"}, {.name = "speed"}}},
          {{.column = 0, .maximize = false}, {.column = 1, .maximize = true}}};
}

}  // namespace

TEST_CASE("reasons that differ in their numbers are of one kind", "[sweep]") {
  CHECK(reason_kind("KV cache 1.5 GiB of 1,024 sequences exceeds 7 GiB") ==
        reason_kind("KV cache 91 MiB of 8 sequences exceeds 0.25 GiB"));
  CHECK(reason_kind("tp = 3 does not divide 128.") == "tp = # does not divide #.");
}

TEST_CASE("the front of all blocks is the front of their fronts", "[sweep]") {
  Summarizer s = summarizer();
  s.add(block_of(0, {{1.0, 1.0}, {2.0, 3.0}, {2.0, 2.0}}));
  s.add(block_of(3, {{3.0, 3.0}, {1.5, 2.9}, {1.0, 1.0}}));
  const Group out = s.take().groups.at(0);
  std::vector<std::int64_t> numbers;
  for (const Row& row : out.front) numbers.push_back(row.number);
  CHECK(numbers == std::vector<std::int64_t>{0, 4, 1});  // cheapest first; point 5 equals 0
  CHECK(out.best[0].number == 0);
  CHECK(out.best[1].number == 1);
}

TEST_CASE("a row without an objective's value is counted and left out", "[sweep]") {
  Summarizer s = summarizer();
  s.add(block_of(0, {{kNone, 9.0}, {2.0, 3.0}}));
  const Group out = s.take().groups.at(0);
  CHECK(out.without_objective == 1);
  CHECK(out.feasible == 2);
  REQUIRE(out.front.size() == 1);
  CHECK(out.front[0].number == 1);
}

TEST_CASE("bases do not compete", "[sweep]") {
  Summarizer s = summarizer();
  s.add(block_of(0, {{1.0, 1.0}, {2.0, 3.0}}));
  s.add(block_of(2, {{9.0, 0.5}}, 1.0));
  const Summary out = s.take();
  REQUIRE(out.groups.size() == 2);
  CHECK(out.groups[1].base == "prefill");
  CHECK(out.groups[1].front.size() == 1);
  CHECK(rows(out) == 3);
}
