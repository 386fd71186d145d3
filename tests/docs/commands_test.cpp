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
FATHOM_PAGE("docs/README.md")
FATHOM_PAGE("docs/accuracy.md")
FATHOM_PAGE("docs/calibration.md")
FATHOM_PAGE("docs/concepts/dsa.md")
FATHOM_PAGE("docs/concepts/dualpipe.md")
FATHOM_PAGE("docs/concepts/ep-all-to-all.md")
FATHOM_PAGE("docs/concepts/mla.md")
FATHOM_PAGE("docs/concepts/moe.md")
FATHOM_PAGE("docs/concepts/mtp.md")
FATHOM_PAGE("docs/concepts/roofline-and-time-model.md")
FATHOM_PAGE("docs/concepts/yarn.md")
FATHOM_PAGE("docs/faq.md")
FATHOM_PAGE("docs/hardware.md")
FATHOM_PAGE("docs/how-to.md")
FATHOM_PAGE("docs/install.md")
FATHOM_PAGE("docs/kernels.md")
FATHOM_PAGE("docs/measuring.md")
FATHOM_PAGE("docs/plan-search.md")
FATHOM_PAGE("docs/planning.md")
FATHOM_PAGE("docs/reference.md")
FATHOM_PAGE("docs/reports.md")
FATHOM_PAGE("docs/schema/README.md")
FATHOM_PAGE("docs/sweeps.md")
FATHOM_PAGE("docs/tuning.md")
FATHOM_PAGE("docs/tutorial.md")

TEST_CASE("the commands of every page are run by a test of their own", "[docs]") {
  const std::string listed = read_text(source_file("tests/docs/commands_test.cpp"));
  for (const std::string& page : english_pages()) {
    CAPTURE(page);
    CHECK(listed.find("FATHOM_PAGE(\"" + page + "\")") != std::string::npos);
  }
}

}  // namespace fathom::test
