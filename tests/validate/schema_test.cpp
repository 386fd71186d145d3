#include "catch.hpp"
#include "schema_keys.hpp"
#include "validate/production_day.hpp"

using namespace fathom;
using nlohmann::json;

TEST_CASE("the schema of a production day says what its reader does", "[validate][schema]") {
  const json day = schema_test::example("day-deepseek-2025-02-27");
  const std::vector<schema_test::Example> examples{
      {"", day, ""},
      {"/definitions/prices", day, "/prices_usd_per_million"},
      {"/definitions/published", day, "/published"}};
  const auto read = [](const json& document) {
    validate::parse_day(document, "day.json#");
    return json();
  };
  CHECK(schema_test::faults("day", {"validate/production_day.cpp"}, examples, read) ==
        schema_test::kNone);
}
