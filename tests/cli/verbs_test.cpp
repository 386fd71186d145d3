#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

using nlohmann::json;
namespace fs = std::filesystem;

namespace fathom::test {
namespace {

json json_of(const std::vector<std::string>& arguments) {
  const Run run = fathom(arguments);
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  CHECK(run.err.empty());
  return parse_json(run.out, "stdout");
}

std::string decode_example() { return source_file("examples/deepseek-v3-h800-decode.json"); }

double relative_error(double found, double expected) { return std::abs(found / expected - 1.0); }

}  // namespace

TEST_CASE("the program says what it is", "[cli]") {
  const Run version = fathom({"--version"});
  CHECK(version.code == 0);
  CHECK(version.out.starts_with("fathom "));
  const Run help = fathom({"--help"});
  CHECK(help.code == 0);
  for (const char* verb : {"model", "hardware", "estimate", "explain", "compare", "roofline",
                           "plan", "verify", "run-model", "experiment", "demo"}) {
    CHECK(help.out.find(std::string("\n  fathom ") + verb) != std::string::npos);
  }
}

TEST_CASE("the help of every verb has an example that begins with the verb", "[cli]") {
  const std::string verb =
      GENERATE("model", "hardware", "estimate", "explain", "compare", "roofline", "plan",
               "validate", "calibrate", "verify", "run-model", "experiment", "demo");
  const Run run = fathom({verb, "--help"});
  CAPTURE(verb, run.out, run.err);
  CHECK(run.code == 0);
  CHECK(run.out.find("Example") != std::string::npos);
  CHECK(run.out.find("fathom " + verb) != std::string::npos);
}

TEST_CASE("machine output of every command parses", "[cli]") {
  CHECK(json_of({"model", "deepseek-v3", "--format", "json"}).contains("params"));
  CHECK(json_of({"model", "--list", "--format", "json"}).at("models").size() > 10);
  CHECK(json_of({"hardware", "list", "--format", "json"}).at("hardware").size() > 10);
  CHECK(json_of({"hardware", "show", "h800", "--format", "json"}).at("id") == "h800");
  CHECK(json_of({"hardware", "check", "h800", "--format", "json"}).at("profiles").size() == 1);
  CHECK(json_of({"compare", "--models", "deepseek-v3", "--format", "json"}).is_object());
  CHECK(json_of({"roofline", decode_example(), "--format", "json"}).is_object());
  CHECK(json_of({"plan", source_file("examples/plan-deepseek-v3.json"), "--format", "json"})
            .is_object());
  const json estimate = json_of({"estimate", decode_example(), "--format", "json"});
  CHECK(estimate.at("operators").size() > 20);
  for (const char* key : {"scenario", "estimate", "memory", "notes"}) CHECK(estimate.contains(key));
  for (const char* stage :
       {"scenario", "arch", "graph", "mapped", "timed", "estimate", "cluster"}) {
    CHECK(json_of({"explain", decode_example(), "--stage", stage}).is_object());
  }
}

TEST_CASE("every example runs", "[cli]") {
  for (const auto& entry : fs::directory_iterator(source_file("examples"))) {
    if (entry.path().extension() != ".json") continue;  // a trace
    const json document = read_json(entry.path());
    if (!document.contains("phase")) continue;  // a request of another verb
    const Run run = fathom({"estimate", entry.path().string(), "--format", "json"});
    CAPTURE(entry.path().string(), run.err);
    CHECK(run.code == 0);
  }
}

TEST_CASE("text formats render the same run", "[cli]") {
  const std::string format = GENERATE("table", "markdown", "html", "csv");
  const Run run = fathom({"estimate", decode_example(), "--format", format});
  CAPTURE(format, run.err);
  CHECK(run.code == 0);
  CHECK(run.out.size() > 1000);
  CHECK(run.out.find("\x1b[") == std::string::npos);  // a pipe is no terminal
}

TEST_CASE("flags and a file that say the same give the same answer", "[cli]") {
  const json file = json_of({"estimate", decode_example(), "--format", "json"});
  const json flags =
      json_of({"estimate", "--model", "deepseek-v3", "--hardware", "h800", "--phase", "decode",
               "--ep", "128", "--dp", "128", "--two-batch-overlap", "--sequences-per-gpu", "128",
               "--context", "4096", "--format", "json"});
  CHECK(file.at("estimate") == flags.at("estimate"));
}

TEST_CASE("flags replace fields of the file", "[cli]") {
  const auto scenario = [](std::vector<std::string> more) {
    std::vector<std::string> all{"explain", decode_example(), "--stage", "scenario"};
    all.insert(all.end(), more.begin(), more.end());
    return json_of(all);
  };
  CHECK(scenario({}).at("workload").at("sequences") == 128 * 128);
  CHECK(scenario({"--sequences", "256"}).at("workload").at("sequences") == 256);
  CHECK(scenario({"--set", "/workload/context_tokens=64"}).at("workload").at("context_tokens") ==
        64);
  CHECK(scenario({"--no-two-batch-overlap"}).at("plan").at("two_batch_overlap") == false);
}

TEST_CASE("the scenario stage reads back as the same scenario", "[cli]") {
  const std::string example =
      GENERATE("examples/deepseek-v3-h800-decode.json", "examples/isca25-tpot-limit-ib.json");
  const TemporaryFolder folder;
  const Run first = fathom({"explain", source_file(example), "--stage", "scenario"});
  const Run second =
      fathom({"explain", folder.file("again.json", first.out), "--stage", "scenario"});
  CAPTURE(second.err);
  CHECK(first.out == second.out);
  CHECK(first.out.find(FATHOM_SOURCE_DIR) == std::string::npos);
}

// ISCA'25 (arXiv 2505.09343) section 2.3.2: 3 bytes x 32 tokens x 9 experts x 7000 values per
// layer and micro-batch, 61 layers, two micro-batches.
TEST_CASE("the published TPOT limits are reproduced", "[cli]") {
  struct Limit {
    const char* file;
    double bytes_per_second;
  };
  const auto limit = GENERATE(Limit{"examples/isca25-tpot-limit-ib.json", 50e9},
                              Limit{"examples/isca25-tpot-limit-nvl72.json", 900e9});
  const double pair = (1.0 + 2.0) * 32.0 * 9.0 * 7000.0 / limit.bytes_per_second;
  const json out = json_of({"estimate", source_file(limit.file), "--format", "json"});
  double dispatch = 0.0;
  double combine = 0.0;
  for (const json& row : out.at("operators")) {
    const std::string lane = row.at("lane").get<std::string>();
    if (lane == "compute") continue;
    if (row.at("stage") == "dispatch") dispatch += row.at("time_s").get<double>();
    if (row.at("stage") == "combine") combine += row.at("time_s").get<double>();
  }
  CHECK(relative_error(dispatch + combine, pair) < 1e-6);
  CHECK(relative_error(out.at("estimate").at("tpot_s").get<double>(), 2.0 * 61.0 * pair) < 1e-3);
}

TEST_CASE("the answer does not depend on the working directory", "[cli]") {
  const TemporaryFolder folder;
  const Run here = fathom({"hardware", "list", "--format", "json"});
  const Run there = fathom({"hardware", "list", "--format", "json"}, folder.path());
  CHECK(here.code == 0);
  CHECK(here.out == there.out);
}

TEST_CASE("an output file holds what standard output would", "[cli]") {
  const TemporaryFolder folder;
  const Run run =
      fathom({"hardware", "show", "h800", "--format", "json", "-o", "x.json"}, folder.path());
  CHECK(run.code == 0);
  CHECK(run.out.empty());
  CHECK(run.err.empty());
  CHECK(read_text(folder.path() / "x.json") ==
        fathom({"hardware", "show", "h800", "--format", "json"}).out);
}

TEST_CASE("a broken profile among good ones fails the check and is named", "[cli]") {
  const TemporaryFolder folder;
  const std::string broken = folder.file("broken.json", "{}");
  const Run run = fathom({"hardware", "check", "h800", broken});
  CHECK(run.code == 2);
  CHECK(run.out.find("broken.json") != std::string::npos);
}

TEST_CASE("a reader that leaves early is no error", "[cli]") {
  const Run run = shell(
      "\"$FATHOM\" model --list --format json | head -c 10; "
      "\"$FATHOM\" hardware list --format json | true");
  CHECK(run.err.empty());
  CHECK(run.out.size() == 10);
}

TEST_CASE("a full disk is an error", "[cli]") {
  const Run run = shell("\"$FATHOM\" hardware list >/dev/full");
  CHECK(run.code == 2);
  CHECK(run.err.starts_with("error: standard output: "));
}

}  // namespace fathom::test
