#include "catch.hpp"
#include "train/schedules/dualpipe.hpp"
#include "train/timeline.hpp"

namespace fathom::test {

// docs/concepts/dualpipe.md shows these lines and the figures that the formula gives for them.
TEST_CASE("the lines of the page on DualPipe give the bubble that it states", "[docs]") {
  const auto order = fathom::train::dualpipe(16, 120);
  const auto line =
      fathom::train::simulate(order, {.forward = 1, .backward = 2, .weight = 1, .overlapped = 2});
  REQUIRE(line.has_value());
  const double bubble = line->makespan - line->busy[8];
  CHECK(bubble == Approx(7.0).epsilon(1e-12));     // (16 / 2 - 1) (2 + 2 - 3 * 1)
  CHECK(line->makespan - line->busy[0] < bubble);  // ranks near the ends wait less
}

}  // namespace fathom::test
