#include <string>

#include "catch.hpp"
#include "cli/program.hpp"
#include "core/json_io.hpp"
#include "docs/page.hpp"
#include "docs/run_page.hpp"

namespace fathom::test {

// One test per page, so that they run beside each other.
#define FATHOM_PAGE(path)                                                           \
  TEST_CASE("the commands of " path " do what it says", "[docs]") {                 \
    const PageRun done = run_page(path);                                            \
    WARN(path << ": " << done.run << " lines run, " << done.not_run << " not run"); \
  }

FATHOM_PAGE("README.md")

TEST_CASE("the commands of every page are run by a test of their own", "[docs]") {
  const std::string listed = read_text(source_file("tests/docs/commands_test.cpp"));
  for (const std::string& page : english_pages()) {
    CAPTURE(page);
    CHECK(listed.find("FATHOM_PAGE(\"" + page + "\")") != std::string::npos);
  }
}

}  // namespace fathom::test
