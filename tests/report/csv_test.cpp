#include "report/csv.hpp"

#include <cstdlib>

#include "catch.hpp"
#include "report/escape.hpp"
#include "samples.hpp"

using namespace fathom::report;

TEST_CASE("a CSV table has unit-suffixed keys, CRLF and all digits", "[report][csv]") {
  CHECK(render_csv(sample_table()) ==
        "operator,estimate_ms,share\r\n"
        "latent_attention,0.3333333333333333,0.75\r\n"
        "grouped_gemm,0.1,0.25\r\n" +
            escape_csv(kHostile) + ",12345.678,1e-09\r\n");
}

TEST_CASE("numbers in a CSV read back the same", "[report][csv][property]") {
  const double value = GENERATE(1.0 / 3.0, 671026419200.0, 2.5e-17, 1e22);
  const Table table{.columns = {number_column("x")}, .rows = {{value}}};
  const std::string csv = render_csv(table);
  CHECK(std::strtod(csv.c_str() + csv.find('\n') + 1, nullptr) == value);
}

TEST_CASE("the CSV of a document holds every table and plot", "[report][csv]") {
  const auto files = csv_files(sample_document());
  REQUIRE(files.size() == 5);
  CHECK(files[0].name == "01-operators-by-time.csv");
  const std::string all = render_csv(sample_document());
  for (const CsvFile& file : files) CHECK(contains(all, file.content));
}

TEST_CASE("a text that a spreadsheet would run is text in the CSV; a number stays one",
          "[report][csv]") {
  const std::string start = GENERATE("=", "+", "-", "@");
  const Table table{.title = start + "1",
                    .columns = {text_column("a"), number_column("b")},
                    .rows = {{start + "HYPERLINK", -1.5}}};
  const std::string csv = render_csv(table);
  CHECK(contains(csv, "'" + start + "HYPERLINK"));
  CHECK(contains(csv, ",-1.5\r\n"));
  CHECK(render_csv(Document{.blocks = {table, table}})[0] == '\'');
}

TEST_CASE("a tab or a return does not begin a CSV field", "[report][csv]") {
  const Table table{.columns = {text_column("a")}, .rows = {{"\t=1"}, {"\r=1"}}};
  const std::string csv = render_csv(table);
  CHECK(contains(csv, "\n'\t=1\r\n"));
  CHECK(contains(csv, "\n\xEF\xBF\xBD=1\r\n"));  // a control character is U+FFFD everywhere
}
