#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "program.hpp"

using nlohmann::json;

namespace fathom::test {
namespace {

// A plan that takes a moment.
const std::vector<std::string> kSmall{"plan",  "--model", "llama-3.1-70b", "--hardware", "h100-sxm",
                                      "--isl", "1024",    "--osl",         "256",        "--rate",
                                      "8",     "--tp",    "4,8",           "--pp",       "1"};

Run plan(std::vector<std::string> more) {
  std::vector<std::string> arguments = kSmall;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return fathom(arguments);
}

json result(std::vector<std::string> more) {
  more.insert(more.end(), {"--format", "json"});
  const Run run = plan(std::move(more));
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  return json::parse(run.out);
}

}  // namespace

TEST_CASE("percentile flags size a cluster and show what it delivers", "[cli][plan]") {
  const json out = result({"--ttft-p99-s", "1"});
  const json& size = out.at("winners").at("any").at("smallest").at("size");
  CHECK(size.at("percentiles").at("ttft_p99_s").get<double>() <= 1.0);
  CHECK(out.at("request").at("traffic").at("queueing") == true);
}

TEST_CASE("studies appear when their flags are given", "[cli][plan]") {
  const json out = result({"--tpot-ms", "50", "--odds", "--sensitivity", "--spare-nodes", "1",
                           "--growth", R"({"factor": 2, "periods": 2})"});
  CHECK(out.at("odds").at("targets").size() == 1);
  CHECK(out.at("sensitivity").at("rows").size() > 10);
  CHECK(out.at("outages").size() >= 2);
  CHECK(out.at("growth").size() == 3);
  const json plain = result({});
  for (const char* key : {"odds", "sensitivity", "outages", "growth"}) {
    CHECK_FALSE(plain.contains(key));
  }
}

TEST_CASE("a request and a result compare with each other", "[cli][plan]") {
  const TemporaryFolder folder;
  const std::string saved = folder.file("b.json", result({"--tpot-ms", "20"}).dump());
  const Run run = plan({"--against", saved});
  CAPTURE(run.err);
  CHECK(run.code == 0);
  CHECK(run.out.find("B / A") != std::string::npos);
  const Run both = fathom({"plan", saved, "--against", saved, "--format", "json"});
  REQUIRE(both.code == 0);
  for (const json& row : json::parse(both.out).at("smallest")) {
    CHECK((row.at("ratio").is_null() || row.at("ratio") == 1.0));
  }
  check_refused(fathom({"plan", saved, "--against", saved, "--rate", "3"}),
                "which flags cannot change");
}

TEST_CASE("a trace beside its request is found", "[cli][plan]") {
  const Run run = fathom({"plan", source_file("examples/plan-llama-3.1-70b-trace.json"),
                          "--hardware", "h100-sxm", "--format", "json"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const json traffic = json::parse(run.out).at("request").at("traffic");
  CHECK(traffic.at("trace") == "trace-chat.csv");
  CHECK(traffic.at("arrival_scv").get<double>() > 1.0);
}

TEST_CASE("flags of a plan that make no sense are refused", "[cli][plan][bad]") {
  check_refused(plan({"--replan"}), "--sensitivity");
  check_refused(plan({"--ttft-p99-s", "0"}), "/targets/ttft_p99: 0");
  check_refused(plan({"--confidence", "1.5"}), "/targets/confidence");
  check_refused(plan({"--trace", "no-such-file.csv"}), "no-such-file.csv");
  check_refused(plan({"--growth", R"({"factor": 2})"}), "/growth: missing key 'periods'");
  check_refused(plan({"--peak-factor", "trace"}), "'trace' needs a trace with arrival times");
}

}  // namespace fathom::test
