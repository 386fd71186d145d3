#include <limits>
#include <set>

#include "catch.hpp"
#include "core/error.hpp"
#include "measure/suites.hpp"

namespace fathom::measure {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

std::vector<std::string> ids(const std::vector<KernelCase>& cases) {
  std::vector<std::string> out;
  for (const KernelCase& one : cases) out.push_back(one.id);
  return out;
}

std::string complaint(const std::vector<std::string>& only) {
  try {
    select(suite_cases(Suite::quick, kUnlimited), only);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every case of a suite has a name of its own", "[measure][suites]") {
  const Suite suite = GENERATE(Suite::quick, Suite::standard, Suite::full, Suite::micro);
  const auto all = ids(suite_cases(suite, kUnlimited));
  CHECK(all.size() > 10);
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == all.size());
  CHECK(parse_suite(name(suite)) == suite);
}

TEST_CASE("a case costs what its operators cost together", "[measure][suites]") {
  for (const KernelCase& one : suite_cases(Suite::full, kUnlimited)) {
    CAPTURE(one.id);
    double flops = 0.0;
    double bytes = 0.0;
    for (const ops::Op& op : one.ops) {
      flops += ops::cost(op).flops.value;
      bytes += ops::traffic(ops::cost(op)).value;
    }
    CHECK(std::abs(cost(one).flops.value - flops) <= 1e-12 * flops);
    CHECK(std::abs(ops::traffic(cost(one)).value - bytes) <= 1e-12 * bytes);
    CHECK(bytes > 0.0);
    CHECK(one.error_bound > 0.0);
    CHECK(one.id.starts_with(one.group + "/"));
  }
}

TEST_CASE("quick is in standard, standard is in full", "[measure][suites]") {
  const auto quick = ids(suite_cases(Suite::quick, kUnlimited));
  const auto standard = ids(suite_cases(Suite::standard, kUnlimited));
  const auto full = ids(suite_cases(Suite::full, kUnlimited));
  CHECK(std::equal(quick.begin(), quick.end(), standard.begin()));
  CHECK(std::equal(standard.begin(), standard.end(), full.begin()));
}

TEST_CASE("what does not fit the memory is left out by name", "[measure][suites]") {
  constexpr std::int64_t kMemory = 64 << 20;
  std::vector<std::string> left_out;
  const auto fitting = suite_cases(Suite::standard, kMemory, &left_out);
  REQUIRE_FALSE(fitting.empty());
  REQUIRE_FALSE(left_out.empty());
  for (const KernelCase& one : fitting) CHECK(memory_needed(one) <= static_cast<double>(kMemory));
  const std::set<std::string> missing(left_out.begin(), left_out.end());
  const auto all = suite_cases(Suite::standard, kUnlimited);
  CHECK(fitting.size() + missing.size() == all.size());
  for (const KernelCase& one : all)
    CHECK((memory_needed(one) > static_cast<double>(kMemory)) == missing.contains(one.id));
}

TEST_CASE("weights are needed twice, as drawn and as packed", "[measure][suites]") {
  // one row: 2 n k bytes of weights, 2 k + 4 n at most beside them
  const double weights = 2.0 * 4096.0 * 2048.0;
  const double needed = memory_needed(linear_case(1, 4096, 2048));
  CHECK(needed >= 2.0 * weights);
  CHECK(needed < 2.01 * weights);
}

TEST_CASE("a selection takes groups and parts of a name", "[measure][suites]") {
  for (const KernelCase& one : select(suite_cases(Suite::quick, kUnlimited), {"norm"}))
    CHECK(one.group == "norm");
  const auto some =
      select(suite_cases(Suite::quick, kUnlimited), {"linear/2048x2816/m=16", "router"});
  CHECK(some.size() == 2);
  CHECK(ids(select(suite_cases(Suite::quick, kUnlimited), {})) ==
        ids(suite_cases(Suite::quick, kUnlimited)));
}

TEST_CASE("a selection of nothing lists the groups", "[measure][suites][bad]") {
  const std::string text = complaint({"no such thing"});
  for (const KernelCase& one : suite_cases(Suite::quick, kUnlimited))
    CHECK_THAT(text, contains(one.group));
  CHECK_THAT(text, contains("no such thing"));
}

TEST_CASE("an unknown suite names the known ones", "[measure][suites][bad]") {
  CHECK_THROWS_WITH(parse_suite("quik"), contains("quick") && contains("standard"));
}

}  // namespace fathom::measure
