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

TEST_CASE("a calibration is an efficiency file: estimate and explain use its fits",
          "[cli][calibrate][efficiency]") {
  const TemporaryFolder folder;
  folder.file("mine.csv", made_up_table());
  const std::string file = (folder.path() / "my-h100.json").string();
  const Run run = fathom(
      {"calibrate", "--import", (folder.path() / "mine.csv").string(), "--write-efficiency", file});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  CHECK(run.err.find("warning") == std::string::npos);

  // wq_a, k = 7168 columns: bf16 rows as many as were measured
  std::vector<std::string> question{"explain",     "--stage",
                                    "timed",       "--model",
                                    "deepseek-v3", "--hardware",
                                    "h100-sxm",    "--phase",
                                    "prefill",     "--ep",
                                    "32",          "--dp",
                                    "32",          "--prompts-per-gpu",
                                    "1",           "--prompt-tokens",
                                    "1024",        "--linear-input-dtype",
                                    "bf16",        "--linear-dtype",
                                    "bf16",        "--efficiency",
                                    file};
  const auto rows = [&](const std::string& fidelity) {
    auto asked = question;
    asked.insert(asked.end(), {"--fidelity", fidelity});
    const Run explained = fathom(asked);
    CAPTURE(explained.err);
    REQUIRE(explained.code == 0);
    json found;
    const json timed = json::parse(explained.out);
    for (const json& block : timed.at("blocks")) {
      for (const json& node : block.at("nodes")) {
        if (node.at("name") == "kv_b_proj" || node.at("name") == "o_proj") found.push_back(node);
      }
    }
    REQUIRE_FALSE(found.empty());
    return found;
  };
  for (const json& node : rows("fitted")) {
    CAPTURE(node.dump());
    CHECK(node.at("fidelity") == "fitted");
    CHECK(node.at("fit").at("family") == "gemm");
    CHECK(node.at("fit").at("samples") == 15);
    CHECK(node.at("fit").at("source").get<std::string>().find("mine.csv") != std::string::npos);
    CHECK(node.at("median_error").get<double>() < 0.2);
  }
  for (const json& node : rows("roofline")) {
    CHECK(node.at("fidelity") == "roofline");
    CHECK_FALSE(node.contains("fit"));
  }
  for (const json& node : rows("measured")) CHECK(node.at("fidelity") != "roofline");

  question[0] = "estimate";
  question.erase(question.begin() + 1, question.begin() + 3);
  question.insert(question.end(), {"--format", "json"});
  const Run estimated = fathom(question);
  CAPTURE(estimated.err);
  REQUIRE(estimated.code == 0);
  const json answer = json::parse(estimated.out);
  CHECK(answer.at("scenario").at("efficiency") == file);
  CHECK(answer.at("inputs").size() == 3);
}

TEST_CASE("at a shape of the table the estimator gives the measured time",
          "[cli][calibrate][efficiency]") {
  // o_proj of DeepSeek-V3 at 1024 tokens: [1024, 16384] x [16384, 7168], 40 % slower than the form
  // of its neighbours would have it
  std::string text = "op,device,stack,dtype,latency_us,m,n,k\n";
  const auto us = [](double m, double n, double k) {
    const double slow = k > 10000.0 && m > 500.0 && m < 3000.0 ? 1.4 : 1.0;
    return slow * (2.0 * m * n * k / (0.7 * 989e12) * 1e6 + 4.0);
  };
  for (const double m : {64.0, 128.0, 256.0, 512.0, 724.0, 1024.0, 1448.0, 2048.0, 4096.0}) {
    for (const double k : {2048.0, 7168.0, 16384.0}) {
      text += "gemm,h100,made up,bf16," + std::to_string(us(m, 7168, k)) + "," +
              std::to_string(int(m)) + ",7168," + std::to_string(int(k)) + "\n";
    }
  }
  const TemporaryFolder folder;
  folder.file("mine.csv", text);
  const std::string file = (folder.path() / "my.json").string();
  REQUIRE(
      fathom({"calibrate", "--import", folder.path().string(), "--write-efficiency", file}).code ==
      0);
  const Run run = fathom({"explain",     "--stage",
                          "timed",       "--model",
                          "deepseek-v3", "--hardware",
                          "h100-sxm",    "--phase",
                          "prefill",     "--ep",
                          "32",          "--dp",
                          "32",          "--prompts-per-gpu",
                          "1",           "--prompt-tokens",
                          "1024",        "--linear-input-dtype",
                          "bf16",        "--linear-dtype",
                          "bf16",        "--efficiency",
                          file,          "--fidelity",
                          "measured"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const json timed = json::parse(run.out);
  for (const json& block : timed.at("blocks")) {
    for (const json& node : block.at("nodes")) {
      if (node.at("name") != "o_proj") continue;
      CHECK(node.at("fidelity") == "measured");
      const double seconds = node.at("end_s").get<double>() - node.at("start_s").get<double>();
      // the device's own set hides 0 to 3 us of launch in a graph and slows the clock by a few %
      CHECK(seconds * 1e6 == Approx(us(1024, 7168, 16384)).epsilon(0.15));
    }
  }
}

TEST_CASE("calibrate warns of families that no operator asks for and lists what it skipped",
          "[cli][calibrate]") {
  const TemporaryFolder folder;
  folder.file("mine.csv", made_up_table());
  folder.file("other.csv",
              "op,device,stack,dtype,latency_us,batch,new_tokens,past_tokens,heads,hidden,"
              "q_lora_rank\n"
              "dsv4_hca_context,h100,x,bf16,80,1,128,0,64,7168,1536\n"
              "dsv4_hca_context,h100,x,bf16,90,1,256,0,64,7168,1536\n"
              "dsv4_hca_context,h100,x,bf16,120,1,512,0,64,7168,1536\n");
  folder.file("strange.csv", "colour,taste\nred,sweet\n");
  const Run run = fathom({"calibrate", "--import", folder.path().string(), "--format", "json"});
  REQUIRE(run.code == 0);
  CHECK(run.err.find("dsv4_hca_context") != std::string::npos);
  const json data = json::parse(run.out);
  CHECK(data.at("not_asked_for").size() == 1);
  REQUIRE(data.at("skipped").size() == 1);
  CHECK(data.at("skipped")[0].get<std::string>().find("strange.csv") == 0);
  const Run shown = fathom({"validate", "--measured", folder.path().string(), "--quick"});
  CHECK(shown.out.find("strange.csv") != std::string::npos);
}

TEST_CASE("a report of fits is no efficiency file, and several devices need a name",
          "[cli][calibrate][bad]") {
  const TemporaryFolder folder;
  std::string table = made_up_table();
  folder.file("mine.csv", table);
  const std::string report = (folder.path() / "report.json").string();
  REQUIRE(fathom({"calibrate", "--import", folder.path().string(), "-o", report}).code == 0);
  check_refused(fathom({"estimate", "--model", "deepseek-v3", "--hardware", "h100-sxm", "--phase",
                        "decode", "--ep", "32", "--dp", "32", "--sequences-per-gpu", "8",
                        "--context", "1024", "--efficiency", report}),
                "--write-efficiency");
  table.replace(table.rfind("h100"), 4, "b200");
  folder.file("mine.csv", table);
  const std::string file = (folder.path() / "mine.json").string();
  check_refused(
      fathom({"calibrate", "--import", folder.path().string(), "--write-efficiency", file}),
      "--device");
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a family outside its own limits fails validation by name", "[cli][validate]") {
  const TemporaryFolder folder;
  folder.file("mine.csv", made_up_table());
  const std::vector<std::string> question{
      "validate",  "--measured", folder.path().string(), "--quick", "--max-median", "99",
      "--max-p90", "99"};
  auto strict = question;
  strict.insert(strict.end(), {"--max-family-median", "0.0001", "--max-family-p90", "0.0001"});
  auto loose = question;
  loose.insert(loose.end(), {"--max-family-median", "99", "--max-family-p90", "99"});
  const Run failed = fathom(strict);
  CHECK(failed.code == 4);
  CHECK(failed.err.find("gemm") != std::string::npos);
  CHECK(fathom(loose).code == 0);
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
