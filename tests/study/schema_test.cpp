#include "catch.hpp"
#include "schema_keys.hpp"
#include "study/library.hpp"
#include "study/plan_request.hpp"
#include "study/report_spec.hpp"
#include "study/scenario.hpp"

using namespace fathom;
using nlohmann::json;
using schema_test::Example;
using schema_test::with;

TEST_CASE("the scenario schema says what the reader of scenarios does", "[study][schema]") {
  const json decode =
      with(schema_test::example("deepseek-v3.2-h200-decode"), "/host", json::object());
  const json changed = with(decode, "/hardware_change", {{"usd_per_device_hour", 2.0}});
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
      {"/definitions/hardware_change", changed, "/hardware_change"},
      {"/definitions/decode", decode, "/workload"},
      {"/definitions/prefill", prefill, "/workload"}};
  study::Library library;
  const auto read = [&](const json& document) {
    return study::to_json(study::parse_scenario(document, "scenario.json#", library));
  };
  const std::vector<std::string> keys{"study/scenario.cpp", "study/workload.cpp",
                                      "study/load_source.cpp", "study/efficiency_choice.cpp",
                                      "study/hardware_change.cpp"};
  CHECK(schema_test::faults("scenario", keys, examples, read) == schema_test::kNone);
}

TEST_CASE("the plan schema says what the reader of plan requests does", "[study][schema]") {
  json plan = with(schema_test::example("plan-deepseek-v3-mtp"), "/hardware", "h800");
  plan = with(std::move(plan), "/growth", {{"factor", 2.0}, {"periods", 4}});
  plan = with(std::move(plan), "/search/precision", json::array({{{"name", "FP8 cache"}}}));
  json mixed = plan;
  mixed["traffic"] = {{"requests_per_s", 20}};
  const json length{{"input_tokens", 4096}, {"output_tokens", 1024}};
  mixed["traffic"]["lengths"] = json::array({length});
  const std::vector<Example> examples{
      {"", plan, ""},
      {"/definitions/traffic", plan, "/traffic"},
      {"/definitions/traffic", mixed, "/traffic"},
      {"/definitions/length", mixed, "/traffic/lengths/0"},
      {"/definitions/growth", plan, "/growth"},
      {"/definitions/targets", plan, "/targets"},
      {"/definitions/search", plan, "/search"},
      {"/definitions/named_precision", plan, "/search/precision/0"}};
  const auto read = [](const json& document) {
    return study::to_json(study::parse_plan_request(document, "plan.json#"));
  };
  const std::vector<std::string> keys{"study/plan_request.cpp", "study/traffic.cpp",
                                      "study/targets.cpp",      "study/search_space.cpp",
                                      "study/growth.cpp",       "study/efficiency_choice.cpp"};
  CHECK(schema_test::faults("plan", keys, examples, read) == schema_test::kNone);
}

TEST_CASE("the report spec schema says what the reader of report specs does", "[study][schema]") {
  const auto spec = [](const std::string& name) {
    return read_json(fmt::format("{}/reports/{}.json", FATHOM_SOURCE_DIR, name));
  };
  std::vector<Example> examples;
  for (const std::string_view name : study::kReports) {
    examples.push_back({fmt::format("/definitions/{}", name), spec(std::string(name)), ""});
  }
  // A small copy: every word of the reader is tried at every place.
  json claims = spec("claims");
  const json mtp = claims.at("claims").at(7);
  claims["claims"] = json::array({mtp});
  claims["claims"][0]["cases"] = json::array({mtp.at("cases").at(0)});
  examples.back().document = claims;
  examples.push_back({"/definitions/claim", claims, "/claims/0"});
  examples.push_back({"/definitions/case", claims, "/claims/0/cases/0"});
  examples.push_back({"/definitions/side", claims, "/claims/0/cases/0/with"});
  examples.push_back({"/definitions/evidence", claims, "/claims/0/published/0"});
  const json fitted{{"report", "calibration"}, {"measured", "tables"}};
  examples.push_back({"/definitions/calibration", fitted, ""});
  const auto read = [](const json& document) {
    return study::to_json(study::parse_report_spec(document, "spec.json#"));
  };
  CHECK(schema_test::faults("report-spec", {"study/report_spec.cpp", "study/claims_read.cpp"},
                            examples, read) == schema_test::kNone);
}

TEST_CASE("a report spec reads back as itself", "[study][schema]") {
  for (const std::string_view name : study::kReports) {
    CAPTURE(name);
    const json document = read_json(fmt::format("{}/reports/{}.json", FATHOM_SOURCE_DIR, name));
    const json once = study::to_json(study::parse_report_spec(document, "spec.json#"));
    CHECK(study::to_json(study::parse_report_spec(once, "spec.json#")) == once);
  }
}
