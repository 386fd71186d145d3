#include "proof/side_by_side.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "measure/cases.hpp"

using namespace fathom;
using namespace fathom::proof;

namespace {

// A kernel that reached half of the product ceiling; its machine bends at `ridge` FLOP/B.
measure::CaseResult measured(const measure::KernelCase& kernel, double ridge) {
  const double peak = 1e12;
  measure::CaseResult out{.id = kernel.id,
                          .group = kernel.group,
                          .family = kernel.family,
                          .ops = kernel.ops,
                          .cost = measure::cost(kernel)};
  const auto exactly = [](double value) {
    return measure::Summary{.median = value, .low = value, .high = value, .count = 20};
  };
  out.time_s = exactly(out.cost.flops.value / (0.5 * peak));
  out.compute_ceiling = exactly(peak);
  out.memory_ceiling = exactly(peak / ridge);
  out.of_compute = exactly(0.5);
  return out;
}

SideBySide compared(double ridge) {
  measure::Measurement m;
  m.results = {measured(measure::linear_case(1, 2048, 2048), ridge),
               measured(measure::linear_case(4096, 2048, 2048), ridge)};
  return side_by_side(std::move(m), {hw::load_cluster("h800"), hw::load_cluster("h200")});
}

}  // namespace

TEST_CASE("a kernel's side is that of its intensity to each machine's ridge", "[proof]") {
  const SideBySide c = compared(200.0);
  REQUIRE(c.rows.size() == 2);
  for (const SideBySideRow& row : c.rows) {
    CHECK(row.here.over_ridge == Approx(row.intensity / 200.0));
    CHECK(row.here.share == 0.5);
    REQUIRE(row.there.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      const hw::DeviceProfile& device = c.clusters[i].device;
      const double ridge =
          device.peak_of(Math::bf16).value / device.memory_bandwidth.value;  // bf16 products
      CHECK(row.there[i].over_ridge == Approx(row.intensity / ridge));
      CHECK(row.there[i].share > 0.0);
      CHECK(row.there[i].share < 1.0);
    }
  }
}

TEST_CASE("one row reads weights everywhere, four thousand multiply everywhere", "[proof]") {
  // m = 1 does 1 FLOP a byte, m = 4096 of a square of 2048 does 2 m n k over 2 (mk + nk + mn)
  // bytes, more than 400 FLOP/B even with fp32 results; GPU ridges lie between.
  const SideBySide c = compared(200.0);
  CHECK_FALSE(c.rows[0].here.compute_side());
  CHECK(c.rows[1].here.compute_side());
  CHECK(c.rows[0].agrees());
  CHECK(c.rows[1].agrees());
  CHECK(to_json(c)["same_side"] == 2);
}

TEST_CASE("a machine that bends below one FLOP a byte has every product on its compute side",
          "[proof]") {
  const SideBySide c = compared(0.5);
  CHECK(c.rows[0].here.compute_side());
  CHECK_FALSE(c.rows[0].agrees());
  CHECK(to_json(c)["same_side"] == 1);
}
