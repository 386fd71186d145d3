#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "catch.hpp"
#include "program.hpp"

// measure, calibrate and extrapolate on the machine at hand. How fast it is, and how busy, is not
// asserted anywhere.

using nlohmann::json;
namespace fs = std::filesystem;

namespace fathom::test {
namespace {

const std::vector<std::string> kBrief{"--rounds", "3", "--seconds", "0.2", "--no-ceilings"};

std::vector<std::string> brief(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kBrief.begin(), kBrief.end());
  return arguments;
}

std::set<std::string> keys(const json& object) {
  std::set<std::string> out;
  for (const auto& [key, value] : object.items()) out.insert(key);
  return out;
}

// A profile of this machine from a handful of kernels; made once.
const std::string& profile() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    const std::string file = (folder.path() / "here.json").string();
    const Run run = fathom({"calibrate", "--seconds", "0.02", "--threads", "1", "--only", "norm",
                            "--only", "linear/512x256", "--profile", file});
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
    CHECK_THAT(run.out, contains(file));
    return file;
  }();
  return path;
}

}  // namespace

TEST_CASE("measure prints kernels next to the machine's ceilings", "[cli][measure]") {
  const Run run = fathom(brief({"measure", "--only", "norm"}));
  CHECK(run.code == 0);
  CHECK_THAT(run.out, contains("norm/7168/m=1"));
}

TEST_CASE("measure as JSON carries what a reader needs to recompute it", "[cli][measure]") {
  const Run run = fathom(brief({"measure", "--only", "linear/2048x2816/m=16", "--format", "json"}));
  REQUIRE(run.code == 0);
  const json data = json::parse(run.out);
  CHECK(data.at("schema") == "measurement/1");
  CHECK(keys(data) == std::set<std::string>{"schema", "machine", "isa", "threads", "suite", "seed",
                                            "libraries", "complete", "left_out", "ceilings",
                                            "kernels"});
  CHECK(data.at("complete") == true);
  REQUIRE(data.at("kernels").size() == 1);
  const json& kernel = data.at("kernels").front();
  for (const char* key :
       {"id", "family", "operators", "flops", "bytes", "isa", "threads", "operands",
        "relative_error", "calls_per_reading", "rounds_dropped", "time_s",
        "compute_ceiling_flops_s", "register_ceiling_flops_s", "memory_ceiling_b_s",
        "share_of_compute_ceiling", "share_of_roofline", "baselines", "note"})
    CHECK(kernel.contains(key));
  CHECK(kernel.at("flops") == 2.0 * 16.0 * 2048.0 * 2816.0);
  CHECK(keys(kernel.at("time_s")) ==
        std::set<std::string>{"median", "mad", "low", "high", "count"});
  bool eigen = false;
  for (const json& library : kernel.at("baselines"))
    eigen = eigen || library.at("name").get<std::string>().starts_with("Eigen fp32");
  CHECK(eigen);
}

TEST_CASE("the same kernel runs on every instruction set that is there", "[cli][measure]") {
  const Run run =
      fathom(brief({"measure", "--only", "router", "--isa", "portable", "--format", "json"}));
  REQUIRE(run.code == 0);
  CHECK(json::parse(run.out).at("isa") == "portable");
}

TEST_CASE("measure refuses what it does not know", "[cli][measure][bad]") {
  check_refused(fathom({"measure", "--isa", "nonsense"}), "avx512");
  check_refused(fathom({"measure", "--suite", "nonsense"}), "quick");
  check_refused(fathom({"measure", "--only", "nothing of the kind"}), "mla_decode");
}

TEST_CASE("calibrate looks for a place to write before it measures", "[cli][calibrate][bad]") {
  const TemporaryFolder folder;
  const std::string file = folder.file("file", "");
  // below a file there is no folder to make, whoever asks
  check_refused(fathom({"calibrate", "--profile", file + "/here.json"}), "--profile");
  if (::geteuid() == 0) return;  // root writes everywhere
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  check_refused(fathom({"calibrate", "--profile", (folder.path() / "here.json").string()}),
                "here.json");
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST_CASE("a calibrated machine is hardware for the other commands", "[cli][calibrate]") {
  for (const std::string& hardware : {profile(), "transferred:" + profile()}) {
    const Run run = fathom({"estimate", "--model", source_file("examples/tiny-deepseek-v3.json"),
                            "--hardware", hardware, "--phase", "decode", "--sequences", "4",
                            "--context", "256", "--format", "json"});
    CAPTURE(run.err);
    if (run.code == 3) return;  // a machine too small even for the fixed buffers: a finding as well
    REQUIRE(run.code == 0);
    CHECK_NOTHROW(json::parse(run.out));
  }
}

TEST_CASE("an estimate takes `local` for the calibrated machine", "[cli][calibrate]") {
  const Run run = shell("FATHOM_LOCAL='" + profile() + "' \"$FATHOM\" estimate --model '" +
                        source_file("examples/tiny-deepseek-v3.json") +
                        "' --hardware local --phase decode --sequences 4 --context 256");
  CAPTURE(run.err);
  CHECK((run.code == 0 || run.code == 3));  // 3: too little memory for the fixed buffers
}

TEST_CASE("`local` is the profile that FATHOM_LOCAL names", "[cli][calibrate]") {
  const Run run =
      shell("FATHOM_LOCAL='" + profile() + "' \"$FATHOM\" hardware show local --format json");
  CAPTURE(run.err);
  CHECK(run.code == 0);
  CHECK_THAT(run.out, contains("local_cpu"));
  check_refused(shell("FATHOM_LOCAL=/nonexistent.json \"$FATHOM\" hardware show local"),
                "fathom calibrate");
}

TEST_CASE("extrapolate proves or does nothing", "[cli][extrapolate][bad]") {
  check_refused(fathom({"extrapolate"}), "--proof");
  check_refused(fathom({"extrapolate", "--proof", "--isa", "nonsense"}), "avx512");
}

}  // namespace fathom::test
