#include <algorithm>
#include <set>

#include "catch.hpp"
#include "report/document_json.hpp"
#include "samples.hpp"
#include "schema_keys.hpp"

using namespace fathom;
using nlohmann::json;

namespace {

// Walks what is written beside the part of the schema that describes it, and notes every key that
// only one of them has.
class Walk {
 public:
  explicit Walk(json schema) : schema_(std::move(schema)) {}

  void compare(const json& value, const json& part, const std::string& where) {
    if (part.contains("$ref")) {
      const std::string target = part["$ref"].get<std::string>().substr(1);
      return compare(value, schema_test::at(schema_, target), target);
    }
    if (part.contains("anyOf") && value.is_object())
      return compare(value, part["anyOf"].back(), where);
    if (part.contains("allOf") && value.is_object()) return compare(value, branch(value), where);
    if (value.is_array() && part.contains("items")) {
      for (const json& item : value) compare(item, part["items"], where);
    }
    if (part.contains("enum") && std::ranges::count(part["enum"], value) == 0)
      faults.insert(where + " is " + value.dump());
    if (!value.is_object()) return;
    seen.insert(where);
    const json required = part.value("required", json::array());
    for (const json& key : required) {
      if (!value.contains(key.get<std::string>())) faults.insert(where + " lacks " + key.dump());
    }
    for (const auto& item : value.items()) {
      if (!part["properties"].contains(item.key())) {
        faults.insert(where + " has " + item.key());
      } else {
        compare(item.value(), part["properties"][item.key()], where + "/" + item.key());
      }
    }
  }

  std::set<std::string> faults;
  std::set<std::string> seen;  // parts of the schema that the document has

 private:
  static json branch(const json& block) {
    return {{"$ref", "#/definitions/" + block["type"].get<std::string>()}};
  }
  json schema_;
};

}  // namespace

TEST_CASE("the report schema has the keys that reports are written with", "[report][schema]") {
  report::Document document = report::sample_document();
  report::Plot limited = report::sample_plot();
  limited.x.min = 1.0;
  limited.x.max = 2.0;
  limited.references[0].from = 1.0;
  limited.references[0].to = 2.0;
  document.blocks.emplace_back(limited);
  const json schema = schema_test::schema("report");
  Walk walk{schema};
  walk.compare(report::to_json(document), schema, "");
  CHECK(walk.faults == std::set<std::string>{});
  // Every part was looked at.
  std::set<std::string> strict;
  schema_test::strict_parts(schema, "", strict);
  for (const std::string& part : strict) {
    CAPTURE(part);
    CHECK(walk.seen.contains(part));
  }
}
