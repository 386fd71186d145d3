#include "measure/ceilings.hpp"

#include <set>

#include "catch.hpp"

namespace fathom::measure {

TEST_CASE("every instruction set has its ceilings", "[measure][ceilings]") {
  const auto isa = GENERATE(from_range(kernels::cpu::supported_isas()));
  kernels::cpu::ThreadPool pool{GENERATE(1, 2), false};
  CAPTURE(name(isa), pool.size());
  CeilingProbe probe{isa, pool, 0};
  const RoundCeilings round = probe.round();
  for (const double rate : {round.compute, round.registers, round.memory, round.l2}) {
    CHECK(rate > 0.0);
    CHECK(std::isfinite(rate));
  }
  CHECK(std::set<int>{1, 2, 4, 8, 16}.contains(probe.streams()));
}

TEST_CASE("the table of ceilings names each row once and counts its threads",
          "[measure][ceilings]") {
  kernels::cpu::ThreadPool pool{2, false};
  const auto rows = measure_ceilings(pool, 32 << 20);
  std::set<std::string> names;
  for (const CeilingRow& row : rows) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(row.threads == 2);
    CHECK((row.unit == "FLOP/s" || row.unit == "B/s"));
    CHECK(row.rate.low > 0.0);
    CHECK(row.rate.count == 30);
  }
  CHECK(names.contains("read DRAM, streams: 8"));
}

}  // namespace fathom::measure
