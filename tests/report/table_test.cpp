#include "report/table.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "core/error.hpp"

using namespace fathom::report;

TEST_CASE("people see three digits where machines see all", "[report][table]") {
  const Cell cell{41.8123456789};
  CHECK(shown_text(cell, number_column("TPOT", "ms")) == "41.8");
  CHECK(exact_text(cell) == "41.8123456789");
}

TEST_CASE("a builder's own wording replaces the rounding, not the number", "[report][table]") {
  Cell cell{256};
  cell.shown = "32 × 8";
  CHECK(shown_text(cell, number_column("GPUs")) == "32 × 8");
  CHECK(exact_text(cell) == "256");
}

TEST_CASE("formats agree with their names", "[report][table]") {
  const auto shown = [](double value, const char* unit, NumberFormat format) {
    return shown_text({value}, number_column("x", unit, format));
  };
  CHECK(shown(671026419200, "", NumberFormat::count) == "671,026,419,200");
  CHECK(shown(4096, "", NumberFormat::exact) == "4096");
  CHECK(shown(0.123, "", NumberFormat::percent) == "12.3 %");
  CHECK(shown(3.35e12, "B/s", NumberFormat::si) == "3.35 TB/s");
  CHECK(shown(0.0124, "s", NumberFormat::seconds) == "12.4 ms");
  CHECK(shown(62.5 * 1073741824, "B", NumberFormat::bytes_binary) == "62.5 GiB");
}

TEST_CASE("a number that is not finite still shows something", "[report][table]") {
  const Column column = number_column("x");
  CHECK(shown_text({std::numeric_limits<double>::infinity()}, column) == "∞");
  CHECK(shown_text({std::nan("")}, column) == "–");
}

TEST_CASE("column keys end in the unit and never repeat", "[report][table]") {
  const Table table{.columns = {text_column("operator"), number_column("bandwidth", "GB/s"),
                                number_column("bandwidth", "GB/s"), number_column("load", "%"),
                                number_column("share", "", NumberFormat::percent),
                                text_column("")}};
  CHECK(column_keys(table) == std::vector<std::string>{"operator", "bandwidth_gb_s",
                                                       "bandwidth_gb_s_2", "load_percent", "share",
                                                       "column"});
}

TEST_CASE("a row of the wrong width is a bug", "[report][table]") {
  const Table table{.columns = {text_column("a"), text_column("b")}, .rows = {{"only one"}}};
  CHECK_THROWS_AS(check(table), fathom::BugError);
}
