#include "catch.hpp"
#include "schema_keys.hpp"
#include "sweep/sweep.hpp"

using namespace fathom;
using nlohmann::json;
using schema_test::with;

namespace {

// One of everything that a sweep may have.
json everything() {
  return json::parse(R"({
    "let": {"gpus": 8},
    "base": {"model": "llama-3.1-8b", "hardware": "h100-sxm", "phase": "decode",
             "plan": {"tp": 1}, "workload": {"sequences": 4, "context_tokens": 1024}},
    "axes": [
      {"pointer": "/plan/tp", "values": [1, 2]},
      {"pointer": "/workload/context_tokens",
       "range": {"from": 1024, "to": 4096, "count": 3, "scale": "log", "integer": true}},
      {"zip": [{"pointer": "/plan/dp", "values": [1, 2]},
               {"pointer": "/elementwise", "values": ["separate", "fused"]}]},
      {"list": [{"/precision/kv": "bf16"}, {"/precision/kv": "fp8"}]},
      {"sample": "sobol", "count": 4, "seed": 3,
       "of": [{"pointer": "/workload/sequences", "from": 8, "to": 64, "integer": true},
              {"pointer": "/plan/order", "values": ["greedy", "half_layer"]}]}],
    "derived": [{"pointer": "/workload/reserve_tokens",
                 "value": "\"/workload/context_tokens\" / 2"}],
    "constraints": ["\"/plan/tp\" * \"/plan/dp\" <= gpus"],
    "results": {"steps_per_s": "1 / tpot_s"},
    "filters": ["tpot_s < 1"],
    "objectives": [{"maximize": "steps_per_s"}, {"minimize": "tpot_s"}]})");
}

json prefill() {
  return json::parse(R"({
    "base": [{"name": "a", "scenario":
      {"model": "llama-3.1-8b", "hardware": "h100-sxm", "phase": "prefill",
       "workload": {"prompts": 1, "prompt_tokens": 1024}}}]})");
}

// What of a sweep follows from its axes.
json read_sweep(study::Library& library, const json& document) {
  const sweep::Sweep s = sweep::parse_sweep(document, "sweep.json#", library);
  json axes = json::array();
  for (const sweep::Base& base : s.bases) {
    for (const sweep::Axis& axis : base.axes) axes.push_back(axis.values);
  }
  return {{"name", s.name}, {"points", s.points()}, {"axes", axes}};
}

}  // namespace

TEST_CASE("the sweep schema says what the reader of sweeps does", "[sweep][schema]") {
  const json all = everything();
  const std::vector<schema_test::Example> examples{
      {"", all, ""},
      {"/definitions/scenario", all, "/base"},
      {"/definitions/decode", all, "/base/workload"},
      {"/definitions/prefill", prefill(), "/base/0/scenario/workload"},
      {"/definitions/named_base", prefill(), "/base/0"},
      {"/definitions/values_axis", all, "/axes/0"},
      {"/definitions/range_axis", all, "/axes/1"},
      {"/definitions/range", all, "/axes/1/range"},
      {"/definitions/zip_axis", all, "/axes/2"},
      {"/definitions/list_axis", all, "/axes/3"},
      {"/definitions/sample_axis", all, "/axes/4"},
      {"/definitions/range_dimension", all, "/axes/4/of/0"},
      {"/definitions/values_dimension", all, "/axes/4/of/1"},
      {"/definitions/derived", all, "/derived/0"},
      {"/definitions/objective", all, "/objectives/0"},
      {"/definitions/objective", all, "/objectives/1"}};
  study::Library library;
  const auto read = [&](const json& document) { return read_sweep(library, document); };
  const std::vector<std::string> keys{"sweep/sweep_read.cpp", "sweep/axes.cpp"};
  CHECK(schema_test::faults("sweep", keys, examples, read) == schema_test::kNone);
}

TEST_CASE("the base of a sweep has the fields of a scenario", "[sweep][schema]") {
  const json scenario = schema_test::schema("scenario");
  const json sweep = schema_test::schema("sweep");
  const auto keys = [](const json& properties) {
    std::vector<std::string> out;
    for (const auto& item : properties.items()) out.push_back(item.key());
    return out;
  };
  CHECK(keys(schema_test::at(sweep, "/definitions/scenario/properties")) ==
        keys(scenario["properties"]));
  for (const std::string part : {"decode", "prefill"}) {
    CHECK(keys(schema_test::at(sweep, "/definitions/" + part + "/properties")) ==
          keys(schema_test::at(scenario, "/definitions/" + part + "/properties")));
  }
}

TEST_CASE("a misspelt field of a base is refused whatever else is derived", "[sweep][schema]") {
  study::Library library;
  const json misspelt = with(everything(), "/base/workload/sequence", 1);
  CHECK_THROWS_WITH(sweep::parse_sweep(misspelt, "sweep.json#", library),
                    contains("unknown key 'sequence'; did you mean 'sequences'?"));
}

TEST_CASE("a base without a name is called base", "[sweep][schema]") {
  study::Library library;
  const json unnamed = with(everything(), "/base/name", nullptr);
  CHECK(sweep::parse_sweep(unnamed, "sweep.json#", library).bases.front().name == "base");
  CHECK_THROWS_AS(sweep::parse_sweep(with(unnamed, "/base/name", 1), "sweep.json#", library),
                  InputError);
}
