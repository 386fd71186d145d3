#include "catch.hpp"
#include "schema_keys.hpp"
#include "study/library.hpp"
#include "study/plan_request.hpp"
#include "study/scenario.hpp"

using namespace fathom;
using nlohmann::json;
using schema_test::Example;
using schema_test::with;

TEST_CASE("the scenario schema says what the reader of scenarios does", "[study][schema]") {
  const json decode =
      with(schema_test::example("deepseek-v3.2-h200-decode"), "/host", json::object());
  const json prefill = schema_test::example("deepseek-v3-h800-prefill");
  const auto loaded = [&](json source) { return with(decode, "/plan/expert_load", source); };
  const std::vector<Example> examples{
      {"", decode, ""},
      {"", prefill, ""},
      {"/definitions/plan", decode, "/plan"},
      {"/definitions/load_source", loaded({{"uniform", true}}), "/plan/expert_load"},
      {"/definitions/load_source", loaded({{"power_law", 1.0}}), "/plan/expert_load"},
      {"/definitions/load_source", loaded({{"zipf", 0.5}}), "/plan/expert_load"},
      {"/definitions/precision", decode, "/precision"},
      {"/definitions/host", decode, "/host"},
      {"/definitions/decode", decode, "/workload"},
      {"/definitions/prefill", prefill, "/workload"}};
  study::Library library;
  const auto read = [&](const json& document) {
    return study::to_json(study::parse_scenario(document, "scenario.json#", library));
  };
  CHECK(schema_test::faults("scenario", {"study"}, examples, read) == schema_test::kNone);
}

TEST_CASE("the plan schema says what the reader of plan requests does", "[study][schema]") {
  const json plan = with(with(schema_test::example("plan-deepseek-v3-mtp"), "/hardware", "h800"),
                         "/growth", {{"factor", 2}, {"periods", 4}});
  const json mixed =
      with(plan, "/traffic",
           {{"requests_per_s", 20},
            {"lengths", {{{"input_tokens", 1024}, {"output_tokens", 256}, {"weight", 2}}}}});
  const std::vector<Example> examples{{"", plan, ""},
                                      {"/definitions/traffic", plan, "/traffic"},
                                      {"/definitions/traffic", mixed, "/traffic"},
                                      {"/definitions/length", mixed, "/traffic/lengths/0"},
                                      {"/definitions/growth", plan, "/growth"},
                                      {"/definitions/targets", plan, "/targets"},
                                      {"/definitions/search", plan, "/search"}};
  const auto read = [](const json& document) {
    return study::to_json(study::parse_plan_request(document, "plan.json#"));
  };
  CHECK(schema_test::faults("plan", {"study"}, examples, read) == schema_test::kNone);
}
