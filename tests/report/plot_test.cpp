#include "report/plot.hpp"

#include "catch.hpp"
#include "core/error.hpp"
#include "samples.hpp"

using namespace fathom::report;

TEST_CASE("series over the same xs share rows of the data table", "[report][plot]") {
  const Table data = data_table(sample_bars());
  REQUIRE(data.columns.size() == 3);
  REQUIRE(data.rows.size() == 2);
  CHECK(data.rows[1] == std::vector<Cell>{"ep 64", 20, 30});
  CHECK(data.columns[2].unit == "GiB");
}

TEST_CASE("labelled points each have a row of the data table", "[report][plot]") {
  const Plot plot = sample_plot();
  const Table data = data_table(plot);
  CHECK(data.rows.size() == plot.series[0].xs.size() + plot.series[1].xs.size());
  CHECK(data.rows[3][0] == Cell{"op_3"});
  CHECK(data.rows[3][2] == Cell{plot.series[0].xs[3]});
}

TEST_CASE("a series with unequal lengths is a bug", "[report][plot]") {
  Plot plot = sample_bars();
  plot.series[0].ys.pop_back();
  CHECK_THROWS_AS(check(plot), fathom::BugError);
  plot = sample_plot();
  plot.series[0].labels.pop_back();
  CHECK_THROWS_AS(check(plot), fathom::BugError);
}

TEST_CASE("stacked series over different xs are a bug", "[report][plot]") {
  Plot plot = sample_bars();
  plot.series[1].xs = {0, 2};
  CHECK_THROWS_AS(check(plot), fathom::BugError);
}
