#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/program.hpp"
#include "core/json_io.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

// How an example is run, by the kind that its name says.
std::vector<std::string> command_for(const std::string& name) {
  const std::string path = source_file("examples/" + name);
  if (name == "sweep-million.json") return {"sweep", path, "--dry-run"};
  if (name.starts_with("sweep-")) return {"sweep", path, "-o", "example.db"};
  if (name.starts_with("plan-")) return {"plan", path};
  if (name.starts_with("tiny-")) return {"run-model", "--config", path};
  return {"estimate", path};
}

}  // namespace

TEST_CASE("every example runs", "[docs]") {
  const TemporaryFolder folder;
  // A day of production is read by the ledger, not by a command of its own.
  const std::set<std::string> read_by_validate{"day-deepseek-2025-02-27.json"};
  int run_count = 0;
  for (const auto& entry : fs::directory_iterator(source_file("examples"))) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".json" || read_by_validate.count(name) == 1) continue;
    const Run run = fathom(command_for(name), folder.path());
    CAPTURE(name, run.err);
    CHECK(run.code == 0);
    CHECK(!run.out.empty());
    ++run_count;
  }
  CHECK(run_count > 0);
}

}  // namespace fathom::test
