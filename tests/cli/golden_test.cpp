#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

namespace fathom::test {
namespace {

// Everything but the line that names version and compiler, which differ from build to build.
std::string without_version(std::string text) {
  for (std::size_t at = text.find("\nfathom 0."); at != std::string::npos;
       at = text.find("\nfathom 0.", at)) {
    text.erase(at, text.find('\n', at + 1) - at);
  }
  return text;
}

struct Golden {
  const char* file;
  std::vector<std::string> arguments;
};

}  // namespace

TEST_CASE("complete outputs are as approved", "[cli][golden]") {
  const auto golden =
      GENERATE(Golden{"model-deepseek-v3.json", {"model", "deepseek-v3", "--format", "json"}},
               Golden{"hardware-list.txt", {"hardware", "list"}});
  const Run run = fathom(golden.arguments);
  REQUIRE(run.code == 0);
  const std::string found = without_version(run.out);
  const std::string path = source_file(std::string("tests/golden/") + golden.file);
  if (const char* update = std::getenv("FATHOM_UPDATE_GOLDEN"); update && *update == '1') {
    write_file(path, found);
  }
  CAPTURE(golden.file);
  CHECK(found == read_text(path));
}

}  // namespace fathom::test
