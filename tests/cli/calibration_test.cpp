#include <algorithm>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

// calibrate and validate, as a user meets them.

using nlohmann::json;

namespace fathom::test {
namespace {

// Timings of a made-up machine: 80 % of the peak and of the bandwidth of an H100, 2.5 us of launch.
std::string made_up_table() {
  std::string text = "op,device,stack,dtype,latency_us,m,n,k\n";
  for (const double m : {16.0, 64.0, 256.0, 1024.0, 4096.0}) {
    for (const double n : {2112.0, 4096.0, 7168.0}) {
      const double compute = 2.0 * m * n * 7168.0 / (0.8 * 989e12);
      const double memory = 2.0 * (m * 7168.0 + n * 7168.0 + m * n) / (0.8 * 3.35e12);
      const double us = std::max(compute, memory) * 1e6 + 2.5;
      text += "gemm,h100,made up,bf16," + std::to_string(us) + "," + std::to_string(int(m)) + "," +
              std::to_string(int(n)) + ",7168\n";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("calibrate fits a generic table and writes its parameters", "[cli][calibrate]") {
  const TemporaryFolder folder;
  folder.file("mine.csv", made_up_table());
  const std::string file = (folder.path() / "fit.json").string();
  const Run run = fathom({"calibrate", "--import", folder.path().string(), "-o", file});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const json fit = read_json(file).at("devices").at("h100-sxm").at("forms").at("gemm").at("bf16");
  CHECK(fit.at("in_sample").at("rows") == 15);
  CHECK(fit.at("in_sample").at("median").get<double>() < 0.05);
}

TEST_CASE("a wrong row of a table is named by line and column, and nothing is written",
          "[cli][calibrate][bad]") {
  const TemporaryFolder folder;
  const std::string latency = GENERATE("-3", "0", "abc", "");
  folder.file("mine.csv", "op,device,stack,dtype,latency_us,m,n,k\ngemm,h100,x,bf16," + latency +
                              ",16,64,64\n");
  const auto output = folder.path() / "fit.json";
  check_refused(fathom({"calibrate", "--import", folder.path().string(), "-o", output.string()}),
                "mine.csv:2:latency_us");
  CHECK_FALSE(std::filesystem::exists(output));
}

TEST_CASE("validate --measured scores a table with slices left out", "[cli][validate]") {
  const TemporaryFolder folder;
  folder.file("mine.csv", made_up_table());
  const Run run = fathom({"validate", "--measured", folder.path().string(), "--format", "json"});
  CAPTURE(run.err);
  REQUIRE((run.code == 0 || run.code == 4));
  CHECK(json::parse(run.out).at("overall").contains("fitted"));
}

TEST_CASE("validate counts every published result and fails while one is outside",
          "[cli][validate]") {
  const Run run = fathom({"validate", "--format", "json"});
  const json data = json::parse(run.out);
  const json& all = data.at("summary").at("all");
  CHECK(all.at("rows") == data.at("rows").size());
  CHECK(run.code == (all.at("outside_tolerance").get<int>() > 0 ? 4 : 0));
  for (const json& row : data.at("rows")) CHECK_FALSE(row.at("source").get<std::string>().empty());
}
}  // namespace fathom::test
