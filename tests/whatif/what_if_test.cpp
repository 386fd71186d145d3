#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/data_dir.hpp"
#include "core/json_io.hpp"
#include "whatif/estimate_json.hpp"
#include "whatif/self_contained.hpp"
#include "whatif/what_if.hpp"

using namespace fathom;
using nlohmann::json;

namespace {

json example(const std::string& name) {
  return read_json(std::string(FATHOM_SOURCE_DIR) + "/examples/" + name + ".json");
}

json asked(const json& scenario, const json& set) {
  study::Library library;
  return json::parse(whatif::what_if(json{{"scenario", scenario}, {"set", set}}.dump(), library));
}

json estimated(const json& scenario) {
  const study::Scenario s = study::parse_scenario(scenario, "test#");
  return whatif::estimate_json(s, study::evaluate(s));
}

}  // namespace

TEST_CASE("what if nothing changes is the estimate itself", "[whatif]") {
  const auto* name =
      GENERATE("deepseek-v3-h800-decode", "deepseek-v3-h800-prefill", "deepseek-v3.2-h200-decode",
               "deepseek-v4-flash-b200-decode", "llama-3.1-70b-h100-tp8");
  CAPTURE(name);
  CHECK(asked(example(name), json::object()) == estimated(example(name)));
}

TEST_CASE("setting a field asks the scenario that has the field", "[whatif]") {
  json other = example("deepseek-v3-h800-decode");
  other["workload"]["sequences_per_gpu"] = 64;
  other["workload"]["context_tokens"] = 2048;
  other["hardware_change"] = {{"memory_bandwidth_factor", 1.25}};
  const json set{{"/workload/sequences_per_gpu", 64},
                 {"/workload/context_tokens", 2048},
                 {"/hardware_change/memory_bandwidth_factor", 1.25}};
  CHECK(asked(example("deepseek-v3-h800-decode"), set) == estimated(other));
}

TEST_CASE("the other spelling of a quantity gives way", "[whatif]") {
  json scenario = example("deepseek-v3-h800-decode");
  REQUIRE(scenario["workload"].contains("sequences_per_gpu"));
  whatif::set_field(scenario, "/workload/sequences", 256, "test#");
  CHECK_FALSE(scenario["workload"].contains("sequences_per_gpu"));
  CHECK(scenario["workload"]["sequences"] == 256);
}

TEST_CASE("a point that does not fit says why, one that is no question where", "[whatif]") {
  const json scenario = example("deepseek-v3-h800-decode");
  const json full = asked(scenario, {{"/workload/sequences_per_gpu", 100000}});
  CHECK(full.at("infeasible").get<std::string>().find("KV cache") != std::string::npos);
  const json wrong = asked(scenario, {{"/plan/tb", 2}});
  CHECK(wrong.at("error").get<std::string>() ==
        "what-if#/plan: unknown key 'tb'; did you mean 'tp'?");
}

TEST_CASE("memory twice as fast takes between half and all of the time", "[whatif][property]") {
  const json scenario = example("deepseek-v3-h800-decode");
  const json faster = asked(scenario, {{"/hardware_change/memory_bandwidth_factor", 2.0}});
  const double before = estimated(scenario)["estimate"]["tpot_s"];
  const double after = faster["estimate"]["tpot_s"];
  CHECK(after < before);
  CHECK(after > 0.5 * before);
}

TEST_CASE("a token costs the price of the devices over what they produce", "[whatif]") {
  const json answer =
      asked(example("deepseek-v3-h800-decode"), {{"/hardware_change/usd_per_device_hour", 3.6}});
  const double rate = answer["estimate"]["tokens_per_s_per_device"];
  // 3.6 USD an hour are 0.001 USD a second.
  CHECK(answer["cost"]["usd_per_million_tokens"].get<double>() ==
        Approx(1e6 * 0.001 / rate).epsilon(1e-12));
}

TEST_CASE("a change of hardware is confessed and written back", "[whatif]") {
  const json set{{"/hardware_change/scale_up_bandwidth_factor", 0.5}};
  const json answer = asked(example("llama-3.1-70b-h100-tp8"), set);
  CHECK(answer["notes"].dump().find("with 0.5 times its scale-up bandwidth") != std::string::npos);
  CHECK(answer["scenario"]["hardware_change"] == json{{"scale_up_bandwidth_factor", 0.5}});
  CHECK_FALSE(estimated(example("llama-3.1-70b-h100-tp8"))["scenario"].contains("hardware_change"));
}

TEST_CASE("a machine without outer links refuses to change them", "[whatif]") {
  json scenario = example("llama-3.1-70b-h100-tp8");
  scenario["hardware"] = "rtx-4090";
  scenario["hardware_change"] = {{"scale_out_bandwidth_factor", 2.0}};
  const json answer = asked(scenario, json::object());
  REQUIRE(answer.contains("error"));
  CHECK(answer["error"].get<std::string>().find("/hardware_change/scale_out_bandwidth_factor") !=
        std::string::npos);
}

TEST_CASE("a self-contained scenario needs nothing but its files", "[whatif]") {
  namespace fs = std::filesystem;
  const auto* name = GENERATE("deepseek-v3-h800-decode", "deepseek-v3.2-h200-decode",
                              "deepseek-v4-flash-b200-decode", "llama-3.1-70b-h100-tp8");
  CAPTURE(name);
  const json document = example(name);
  const study::Scenario scenario = study::parse_scenario(document, "test#");
  const auto packed = whatif::self_contained(document, scenario);
  const auto& own = std::get<whatif::SelfContained>(packed);
  const json expected = estimated(document);
  const fs::path folder = fs::temp_directory_path() / ("fathom_whatif_" + std::string(name));
  for (const auto& file : own.files) {
    fs::create_directories((folder / file.name).parent_path());
    std::ofstream{folder / file.name} << file.text;
  }
  ::setenv("FATHOM_DATA", folder.c_str(), 1);
  const json answer = asked(json::parse(own.scenario), json::object());
  ::unsetenv("FATHOM_DATA");
  fs::remove_all(folder);
  CHECK(answer == expected);
}

TEST_CASE("a scenario of this machine's own calibration stays here", "[whatif]") {
  json document = example("llama-3.1-70b-h100-tp8");
  const study::Scenario scenario = study::parse_scenario(document, "test#");
  document["hardware"] = "local";
  CHECK(std::holds_alternative<whatif::Bound>(whatif::self_contained(document, scenario)));
}
