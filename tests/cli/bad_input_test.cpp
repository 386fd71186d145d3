#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "program.hpp"

using nlohmann::json;
namespace fs = std::filesystem;

namespace fathom::test {
namespace {

json good_scenario() {
  return {{"model", "deepseek-v3"},
          {"hardware", "h800"},
          {"phase", "decode"},
          {"plan", {{"ep", 32}, {"dp", 32}}},
          {"workload", {{"sequences_per_gpu", 32}, {"context_tokens", 4096}}}};
}

Run estimate(const json& scenario) {
  const TemporaryFolder folder;
  return fathom({"estimate", folder.file("scenario.json", scenario.dump())});
}

Run estimate_text(std::string_view text) {
  const TemporaryFolder folder;
  return fathom({"estimate", folder.file("scenario.json", text)});
}

// The good scenario with one value replaced by text that need not be JSON.
std::string with_context(std::string_view literal) {
  std::string text = good_scenario().dump();
  const std::string found = "\"context_tokens\":4096";
  text.replace(text.find(found), found.size(), "\"context_tokens\":" + std::string(literal));
  return text;
}

}  // namespace

TEST_CASE("the scenario that the bad ones are made from is good", "[cli]") {
  const Run run = estimate(good_scenario());
  CAPTURE(run.err);
  CHECK(run.code == 0);
  CHECK(run.err.empty());
}

TEST_CASE("a misspelt field names the nearest one", "[cli][bad]") {
  json scenario = good_scenario();
  scenario["workload"]["context_tokns"] = 1;
  const Run run = estimate(scenario);
  check_refused(run, "scenario.json#/workload");
  CHECK(run.err.find("context_tokens") != std::string::npos);
}

TEST_CASE("a misspelt model or system names the nearest one", "[cli][bad]") {
  json scenario = good_scenario();
  scenario["model"] = "deepseek-v33";
  const Run model = estimate(scenario);
  check_refused(model, "scenario.json#/model");
  CHECK(model.err.find("did you mean") != std::string::npos);
  scenario = good_scenario();
  scenario["hardware"] = "h8000";
  check_refused(estimate(scenario), "scenario.json#/hardware");
}

TEST_CASE("a missing field is named", "[cli][bad]") {
  const auto* const key = GENERATE("model", "hardware", "phase", "workload");
  json scenario = good_scenario();
  scenario.erase(key);
  const Run run = estimate(scenario);
  check_refused(run, "scenario.json#: missing");
  CHECK(run.err.find(key) != std::string::npos);
}

TEST_CASE("a number out of range is named with its pointer", "[cli][bad]") {
  const auto* const literal = GENERATE("-1", "1e12", "1e400", "-1e400");
  CAPTURE(literal);
  check_refused(estimate_text(with_context(literal)), "scenario.json");
}

TEST_CASE("a value that is no number is refused", "[cli][bad]") {
  const auto* const literal = GENERATE("NaN", "Infinity", "\"4096\"", "true", "[4096]", "{}");
  CAPTURE(literal);
  check_refused(estimate_text(with_context(literal)), "scenario.json");
}

TEST_CASE("wrong types point at the field", "[cli][bad]") {
  struct Wrong {
    const char* pointer;
    const char* value;
  };
  const auto wrong = GENERATE(Wrong{"/model", "3"}, Wrong{"/plan", "\"tp8\""},
                              Wrong{"/plan/tp", "2.5"}, Wrong{"/plan/tp", "0"},
                              Wrong{"/plan/two_batch_overlap", "1"}, Wrong{"/phase", "\"train\""},
                              Wrong{"/workload", "[]"}, Wrong{"/precision", "{\"kv\":8}"},
                              Wrong{"/model_patch", "[]"}, Wrong{"/mla", "\"fast\""});
  json scenario = good_scenario();
  scenario[json::json_pointer(wrong.pointer)] = json::parse(wrong.value);
  CAPTURE(wrong.pointer, wrong.value);
  check_refused(estimate(scenario), std::string("scenario.json#") + wrong.pointer);
}

TEST_CASE("contradictory fields are refused", "[cli][bad]") {
  json scenario = good_scenario();
  scenario["workload"]["sequences"] = 64;
  check_refused(estimate(scenario), "scenario.json#/workload/sequences_per_gpu");
  scenario = good_scenario();
  scenario["workload"]["acceptance"] = 0.5;
  check_refused(estimate(scenario), "scenario.json#/workload/acceptance");
}

TEST_CASE("no tokens and too many tokens are refused", "[cli][bad]") {
  json scenario = good_scenario();
  scenario["phase"] = "prefill";
  scenario["workload"] = {{"prompts", 1}, {"prompt_tokens", 0}};
  check_refused(estimate(scenario), "scenario.json#/workload/prompt_tokens");
  scenario["workload"] = {{"prompts", 1}, {"prompt_tokens", 10000000}};
  check_refused(estimate(scenario), "scenario.json#/workload/prompt_tokens");
  scenario = good_scenario();
  scenario["workload"]["context_tokens"] = 10000000;
  check_refused(estimate(scenario), "scenario.json#/workload/context_tokens");
  scenario["workload"]["context_tokens"] = 4096;
  scenario["workload"]["sequences_per_gpu"] = 0;
  check_refused(estimate(scenario), "scenario.json#/workload/sequences_per_gpu");
}

TEST_CASE("files that are no scenario are refused", "[cli][bad]") {
  const std::string whole = good_scenario().dump();
  check_refused(estimate_text(whole.substr(0, whole.size() / 2)), "scenario.json");
  check_refused(estimate_text(""), "scenario.json");
  check_refused(estimate_text("[]"), "scenario.json");
  check_refused(estimate_text("{\"name\": \"\xff\xfe\"}"), "scenario.json");
  check_refused(estimate_text(std::string(100000, '[')), "scenario.json");
  check_refused(estimate_text("{\"model\":1,\"model\":2}"), "scenario.json");
  check_refused(fathom({"estimate", "no-such-file.json"}), "no-such-file.json");
  check_refused(fathom({"estimate", "/"}), "/");
}

TEST_CASE("a file too large is refused before it is read", "[cli][bad]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("scenario.json", "{}");
  fs::resize_file(path, std::uintmax_t{200} << 20U);
  check_refused(fathom({"estimate", path}), "scenario.json");
  check_refused(fathom({"model", path}), "scenario.json");
  check_refused(fathom({"hardware", "show", path}), "scenario.json");
}

TEST_CASE("an unknown architecture is refused by name", "[cli][bad]") {
  const TemporaryFolder folder;
  const std::string path = folder.file(
      "config.json", R"({"model_type": "perceiver", "architectures": ["PerceiverModel"]})");
  check_refused(fathom({"model", path}), "config.json#/architectures/0");
}

TEST_CASE("a plan that cannot run is infeasible, not a mistake", "[cli]") {
  json scenario = good_scenario();
  scenario["plan"] = {{"tp", 7}};
  scenario["workload"] = {{"sequences", 1}, {"context_tokens", 4096}};
  const TemporaryFolder folder;
  const std::string path = folder.file("scenario.json", scenario.dump());
  const Run table = fathom({"estimate", path});
  CAPTURE(table.err);
  CHECK(table.code == 3);
  CHECK(table.out.empty());
  CHECK(table.err.starts_with("infeasible: "));
  const Run machine = fathom({"estimate", path, "--format", "json"});
  CHECK(machine.code == 3);
  CHECK(json::parse(machine.out).contains("infeasible"));
}

TEST_CASE("a refused run leaves no output file", "[cli][bad]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("scenario.json", with_context("-1"));
  const fs::path output = folder.path() / "out.json";
  check_refused(fathom({"estimate", path, "--format", "json", "-o", output.string()}),
                "scenario.json#/workload/context_tokens");
  CHECK_FALSE(fs::exists(output));
  check_refused(
      fathom({"hardware", "list", "-o", (folder.path() / "no" / "such" / "x.txt").string()}),
      "does not exist");
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("flags are checked like the file they stand for", "[cli][bad]") {
  const auto with = [](std::vector<std::string> more) {
    std::vector<std::string> all{"estimate", "--model", "deepseek-v3", "--hardware", "h800",
                                 "--phase",  "decode",  "--sequences", "8"};
    all.insert(all.end(), more.begin(), more.end());
    return fathom(all);
  };
  check_refused(with({"--context", "-5"}), "command line#/workload/context_tokens");
  check_refused(with({"--context", "nan"}), "command line#/workload/context_tokens");
  check_refused(with({"--context", "1e400"}), "command line#/workload/context_tokens");
  check_refused(with({"--context", "many"}), "command line#/workload/context_tokens");
  check_refused(with({"--context", "1", "--tp", "1.5"}), "command line#/plan/tp");
  check_refused(with({"--context", "1", "--set", "/plan/tpp=1"}), "command line#/plan");
  check_refused(with({"--context", "1", "--set", "plan.tp=1"}), "--set plan.tp=1");
  check_refused(with({"--context", "1", "--patch", "kv_lora_rnak=1"}), "kv_lora_rank");
}

TEST_CASE("mistakes on the command line name what is near", "[cli][bad]") {
  check_refused(fathom({}), "expected");
  check_refused(fathom({"estimat"}), "estimate");
  check_refused(fathom({"model", "deepseek-v3", "--formt", "json"}), "--format");
  check_refused(fathom({"model", "deepseek-v3", "--format", "jsn"}), "json");
  check_refused(fathom({"model", "deepseek-v3", "--format"}), "--format");
  check_refused(fathom({"model", "deepseek-v3", "again"}), "again");
  check_refused(fathom({"model", "deepseek-v3", "--contexts", "-1"}), "contexts");
  check_refused(fathom({"hardware", "lst"}), "list");
  check_refused(fathom({"hardware", "show", "h8000"}), "h800");
  check_refused(fathom({"hardware", "list", "--format", "csv", "-o", "/dev/full"}), "/dev/full");
  check_refused(fathom({"explain", "--stage", "mappd"}), "mapped");
}

}  // namespace fathom::test
