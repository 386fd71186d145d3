#include "report/document_json.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "samples.hpp"

using namespace fathom::report;

TEST_CASE("JSON keeps every number, mark and wording", "[report][json]") {
  const auto json = to_json(sample_table());
  CHECK(json["columns"][1]["key"] == "estimate_ms");
  CHECK(json["rows"][0][1]["value"].get<double>() == 1.0 / 3.0);
  CHECK(json["rows"][0][1]["mark"] == "bound");
  CHECK(json["rows"][2][1].get<double>() == 12345.678);
  CHECK(json["rows"].size() == 3);
}

TEST_CASE("the JSON text of a document reads back as its value", "[report][json]") {
  const Document document = sample_document();
  const auto parsed = nlohmann::json::parse(render_json(document));
  CHECK(parsed == to_json(document));
  CHECK(parsed["blocks"].size() == document.blocks.size());
  CHECK(parsed["blocks"][5]["series"][0]["xs"][3].get<double>() == sample_plot().series[0].xs[3]);
}

TEST_CASE("JSON spells out what it has no number for", "[report][json]") {
  const Table table{.columns = {number_column("x")},
                    .rows = {{std::numeric_limits<double>::infinity()}}};
  CHECK(to_json(table)["rows"][0][0] == "inf");
}

TEST_CASE("stray bytes in a name do not stop the JSON", "[report][json]") {
  CHECK_NOTHROW(render_json({.title = "a\xFF"}));
}
