#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "program.hpp"

// verify, run-model and experiment, as a user meets them.

using nlohmann::json;
namespace fs = std::filesystem;

namespace fathom::test {
namespace {

const std::string kCases = "tests/golden/kernels";

// A copy of some golden cases that a test may damage.
class Cases {
 public:
  explicit Cases(std::initializer_list<const char*> names) {
    for (const char* name : names) {
      fs::copy(fs::path{source_file(kCases)} / name, path(name), fs::copy_options::recursive);
    }
  }
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  std::string all() const { return folder_.path().string(); }

 private:
  TemporaryFolder folder_;
};

json parsed(const Run& run) {
  CAPTURE(run.err);
  REQUIRE_FALSE(run.out.empty());
  return json::parse(run.out);
}

}  // namespace

TEST_CASE("verify passes the cases of the repository and counts them", "[cli][verify]") {
  const Run run = fathom({"verify", source_file(kCases), "--format", "json"});
  CHECK(run.code == 0);
  const json summary = parsed(run).at("summary");
  CHECK(summary.at("passed") == summary.at("cases"));
  CHECK(summary.at("tensors_failed") == 0);
  CHECK(summary.at("tensors").get<int>() > 300);
}

TEST_CASE("a case that cannot be read is named, and the others still run", "[cli][verify][bad]") {
  const Cases cases{"rmsnorm", "rope_apply"};
  fs::remove(cases.path("rope_apply") / "in.q.npy");
  const Run run = fathom({"verify", cases.all(), "--format", "json"});
  CHECK(run.code == 2);
  CHECK_THAT(run.err, contains("rope_apply/in.q.npy: no such file"));
  const json summary = parsed(run).at("summary");
  CHECK(summary.at("passed") == 1);
  CHECK(summary.at("unreadable") == 1);
}

TEST_CASE("a case of an unknown kind is listed and fails the run", "[cli][verify][bad]") {
  const Cases cases{"rmsnorm"};
  fs::create_directory(cases.path("novel"));
  const TemporaryFolder source;
  fs::copy(source.file("case.json", R"({"config": {}, "expected": {}})"), cases.path("novel"));
  const Run run = fathom({"verify", cases.all()});
  CHECK(run.code == 4);
  CHECK_THAT(run.out, contains("novel") && contains("unknown kind"));
}

TEST_CASE("a wrong expected value fails the run", "[cli][verify]") {
  const Cases cases{"rmsnorm"};
  // the file of another tensor of the same shape
  fs::copy_file(cases.path("rmsnorm") / "out.layernorm.npy",
                cases.path("rmsnorm") / "out.rmsnorm.npy", fs::copy_options::overwrite_existing);
  const Run run = fathom({"verify", cases.all(), "--failures"});
  CHECK(run.code == 4);
  CHECK_THAT(run.out, contains("FAIL"));
}

TEST_CASE("run-model prints what was executed beside what was predicted", "[cli][run-model]") {
  const Run run = fathom({"run-model", "--config", source_file("examples/tiny-deepseek-v3.json"),
                          "--prompt-tokens", "17,4,99", "--new-tokens", "6", "--format", "json"});
  CHECK(run.code == 0);
  const json data = parsed(run);
  CHECK(data.at("agrees") == true);
  CHECK(data.at("prompt") == json({17, 4, 99}));
  CHECK(data.at("greedy").at("tokens").size() == 6);
  CHECK(data.at("speculative").at("equals_greedy") == true);
  CHECK(data.at("kv_cache").at("main").at("held_bytes") ==
        data.at("kv_cache").at("main").at("analytic_bytes"));
}

TEST_CASE("run-model refuses what it cannot run", "[cli][run-model][bad]") {
  const std::string tiny = source_file("examples/tiny-deepseek-v3.json");
  check_refused(fathom({"run-model", "--config", "qwen3-8b"}), "its attention is gqa");
  check_refused(fathom({"run-model", "--config", "deepseek-v3"}), "parameters");
  check_refused(fathom({"run-model", "--config", tiny, "--prompt-tokens", "1,128"}),
                "128 is not below vocab_size = 128");
  check_refused(fathom({"run-model", "--config", "tiny-nothing"}), "tiny-nothing");
}

TEST_CASE("experiments give a table, a plot and data", "[cli][experiment]") {
  const std::string name = GENERATE("balance", "fp8");
  const Run table = fathom({"experiment", name, "--steps", "10"});
  const Run data = fathom({"experiment", name, "--steps", "10", "--format", "json"});
  const Run plot = fathom({"experiment", name, "--steps", "10", "--format", "svg"});
  CHECK(table.code == 0);
  CHECK(parsed(data).size() >= 2);
  CHECK_THAT(plot.out, contains("<svg"));
}

TEST_CASE("experiments check their numbers", "[cli][experiment][bad]") {
  check_refused(fathom({"experiment", "blance"}), "did you mean 'balance'");
  check_refused(fathom({"experiment", "balance", "--experts", "30"}), "does not divide");
  check_refused(fathom({"experiment", "balance", "--topk", "64"}), "more than --experts");
}

}  // namespace fathom::test
