#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

using nlohmann::json;
namespace fs = std::filesystem;

namespace fathom::test {
namespace {

// 120,000 points in 30 blocks, some excluded, many infeasible.
json long_sweep() {
  return json::parse(R"({
    "name": "kill me",
    "base": {"model": "deepseek-v3", "hardware": "h800", "phase": "decode",
             "plan": {"ep": 32, "dp": 32}, "workload": {}},
    "axes": [
      {"pointer": "/hardware", "values": ["h800", "h200"]},
      {"pointer": "/plan/tp", "values": [1, 2, 3]},
      {"pointer": "/workload/sequences_per_gpu", "range": {"from": 1, "to": 200, "count": 200}},
      {"pointer": "/workload/context_tokens", "range": {"from": 1000, "to": 100000, "count": 100}}],
    "derived": [{"pointer": "/plan/ep", "value": "\"/plan/tp\" * 32"}],
    "constraints": ["\"/workload/sequences_per_gpu\" * \"/workload/context_tokens\" < 1e7"],
    "objectives": [{"maximize": "tokens_per_s_per_device"}]})");
}

json small_sweep() {
  json sweep = long_sweep();
  sweep["axes"][2]["range"] = {{"from", 1}, {"to", 10}, {"count", 10}};
  return sweep;
}

std::string bytes_of(const fs::path& file) { return read_text(file, std::uintmax_t{1} << 30U); }

bool same_bytes(const fs::path& a, const fs::path& b) { return bytes_of(a) == bytes_of(b); }

bool have_mpi() {
  return shell("command -v mpirun && ls $(dirname $FATHOM)/fathom_sweep_mpi.so").code == 0;
}

constexpr const char* kRanks =
    "mpirun --allow-run-as-root --oversubscribe -n 2 $FATHOM sweep {} --threads 1 --summary "
    "summary.txt -o ranks.db";

}  // namespace

TEST_CASE("a sweep killed at random moments and resumed is the sweep never killed",
          "[cli][sweep][kill]") {
  const TemporaryFolder folder;
  folder.file("sweep.json", long_sweep().dump());
  REQUIRE(fathom({"sweep", "sweep.json", "-o", "whole.db"}, folder.path()).code == 0);
  // The seed fixes the moments, not what the machine has done by then: a run that gets through is
  // compared and begun anew, until ten were killed.
  std::mt19937 random(20261122);
  int killed = 0;
  for (int runs = 0; killed < 10 && runs < 200; ++runs) {
    const auto ms = 20 + random() % 200;
    // Waited for: a process that is still going away holds its lock.
    const Run run = shell(fmt::format("$FATHOM sweep sweep.json -o killed.db --resume & p=$!; "
                                      "sleep 0.{:03}; kill -9 $p; wait $p",
                                      ms),
                          folder.path());
    killed += run.code != 0 ? 1 : 0;
    if (run.code != 0) continue;
    CHECK(same_bytes(folder.path() / "whole.db", folder.path() / "killed.db"));
    fs::remove(folder.path() / "killed.db");
  }
  CHECK(killed == 10);
  const Run last = fathom({"sweep", "sweep.json", "-o", "killed.db", "--resume"}, folder.path());
  REQUIRE(last.code == 0);
  CHECK(same_bytes(folder.path() / "whole.db", folder.path() / "killed.db"));
}

TEST_CASE("threads, shards and ranks write the same database", "[cli][sweep]") {
  const TemporaryFolder folder;
  folder.file("sweep.json", small_sweep().dump());
  const auto sweep = [&](std::vector<std::string> flags) {
    std::vector<std::string> all{"sweep", "sweep.json"};
    all.insert(all.end(), flags.begin(), flags.end());
    return fathom(all, folder.path());
  };
  REQUIRE(sweep({"-o", "one.db", "--threads", "1"}).code == 0);
  REQUIRE(sweep({"-o", "three.db", "--threads", "3"}).code == 0);
  CHECK(same_bytes(folder.path() / "one.db", folder.path() / "three.db"));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(sweep({"-o", fmt::format("part{}.db", i), "--shard", fmt::format("{}/3", i)}).code ==
            0);
  }
  REQUIRE(shell("$FATHOM merge part2.db part0.db part1.db -o merged.db", folder.path()).code == 0);
  CHECK(same_bytes(folder.path() / "one.db", folder.path() / "merged.db"));
  if (!have_mpi()) return;
  const Run ranks = shell(fmt::format(kRanks, "sweep.json"), folder.path());
  CAPTURE(ranks.err);
  REQUIRE(ranks.code == 0);
  CHECK(same_bytes(folder.path() / "one.db", folder.path() / "ranks.db"));
}

TEST_CASE("a lost rank ends the run and resuming completes it", "[cli][sweep][mpi]") {
  if (!have_mpi()) return;
  const TemporaryFolder folder;
  // A name that no other test's sweep has: its process is found by it.
  folder.file("lose-a-rank.json", long_sweep().dump());
  // One rank is killed in the middle; mpirun then ends the other.
  shell("(" + fmt::format(kRanks, "lose-a-rank.json") +
            " & p=$!; sleep 0.6; kill -9 $(pgrep -n -f 'sweep lose-a-rank.json --threads'); "
            "wait $p)",
        folder.path());
  REQUIRE(fathom({"sweep", "lose-a-rank.json", "-o", "ranks.db", "--resume"}, folder.path()).code ==
          0);
  REQUIRE(fathom({"sweep", "lose-a-rank.json", "-o", "one.db"}, folder.path()).code == 0);
  CHECK(same_bytes(folder.path() / "one.db", folder.path() / "ranks.db"));
}

TEST_CASE("reports and exports of a sweep agree on its rows", "[cli][sweep]") {
  const TemporaryFolder folder;
  folder.file("sweep.json", small_sweep().dump());
  const Run run = fathom({"sweep", "sweep.json", "-o", "s.db", "--format", "json"}, folder.path());
  REQUIRE(run.code == 0);
  const json summary = json::parse(run.out);
  const Run again = fathom({"report", "s.db", "--format", "json"}, folder.path());
  const json reported = json::parse(again.out);
  CHECK(reported["bases"] == summary["bases"]);
  CHECK(reported["feasible"] == summary["feasible"]);
  const auto lines = [&](const char* format) {
    return std::stoll(
        shell(fmt::format("$FATHOM report s.db --format {} | wc -l", format), folder.path()).out);
  };
  CHECK(lines("csv") == summary["rows"].get<std::int64_t>() + 1);
  CHECK(lines("jsonl") == summary["rows"].get<std::int64_t>());
  CHECK_THAT(fathom({"report", "s.db", "--format", "html"}, folder.path()).out,
             contains("tokens_per_s_per_device"));
}

TEST_CASE("what a sweep cannot do it refuses", "[cli][sweep][input]") {
  const TemporaryFolder folder;
  folder.file("sweep.json", small_sweep().dump());
  json huge = small_sweep();
  huge["axes"][2]["range"]["count"] = 10'000'000;
  huge["axes"][3]["range"]["count"] = 100'000;
  folder.file("huge.json", huge.dump());
  const auto refused = [&](const std::string& command, std::string_view says) {
    CAPTURE(command);
    const Run run = shell(command, folder.path());
    CHECK(run.code == 2);
    CHECK(run.out.empty());
    CHECK_THAT(run.err, contains(std::string(says)));
  };
  // 2 * 3 * 1e7 * 1e5
  refused("$FATHOM sweep huge.json", "6,000,000,000,000 points");
  refused("$FATHOM sweep huge.json", "--shard 0/6000");
  refused("$FATHOM sweep sweep.json --shard 3/3", "0 <= i < n");
  refused("$FATHOM sweep sweep.json -o no/such/folder/x.db", "no/such/folder");
  refused("$FATHOM report sweep.json", "sweep.json");
  REQUIRE(fathom({"sweep", "sweep.json", "-o", "s.db"}, folder.path()).code == 0);
  refused("$FATHOM sweep sweep.json -o s.db", "--resume");
  json other = small_sweep();
  other["axes"][0]["values"] = {"h200", "h800"};
  folder.file("sweep.json", other.dump());
  refused("$FATHOM sweep sweep.json -o s.db --resume", "sweep");
}

TEST_CASE("a full disk keeps what is stored, and a resume goes on", "[cli][sweep]") {
  const TemporaryFolder folder;
  folder.file("sweep.json", long_sweep().dump());
  // Files of at most 2 MiB: the shell's limit stands for a disk.
  const Run full =
      shell("trap '' XFSZ; ulimit -f 4096; $FATHOM sweep sweep.json -o s.db", folder.path());
  CHECK(full.code == 2);
  CHECK_THAT(full.err, contains("s.db"));
  REQUIRE(fathom({"sweep", "sweep.json", "-o", "s.db", "--resume"}, folder.path()).code == 0);
  REQUIRE(fathom({"sweep", "sweep.json", "-o", "whole.db"}, folder.path()).code == 0);
  CHECK(same_bytes(folder.path() / "whole.db", folder.path() / "s.db"));
}

TEST_CASE("Ctrl-C keeps what is stored and says how to go on", "[cli][sweep]") {
  const TemporaryFolder folder;
  json sweep = long_sweep();
  sweep["axes"][2]["range"]["count"] = 100'000;  // far more than a second's work
  folder.file("sweep.json", sweep.dump());
  // Once rows are stored; twice at once, as `timeout` does it: to the process and to its group.
  const Run run = shell(
      "$FATHOM sweep sweep.json -o s.db & p=$!; "
      "until [ -s s.db ]; do kill -0 $p || break; sleep 0.05; done; sleep 0.3; "
      "kill -INT $p; kill -INT $p; wait $p",
      folder.path());
  CAPTURE(run.err);
  CHECK(run.code == 130);
  CHECK_THAT(run.err, contains("--resume"));
  const Run report = fathom({"report", "s.db"}, folder.path());
  CHECK(report.code == 0);
  CHECK_THAT(report.out, contains("unfinished"));
}

TEST_CASE("a dry run counts points and writes nothing", "[cli][sweep]") {
  const TemporaryFolder folder;
  folder.file("sweep.json", small_sweep().dump());
  const Run run = fathom({"sweep", "sweep.json", "--dry-run", "--format", "json"}, folder.path());
  REQUIRE(run.code == 0);
  const json forecast = json::parse(run.out);
  CHECK(forecast["points"] == 2 * 3 * 10 * 100);
  CHECK(forecast["rows"] == 2 * 3 * 10 * 100);
  CHECK_FALSE(fs::exists(folder.path() / "sweep.db"));
}

}  // namespace fathom::test
