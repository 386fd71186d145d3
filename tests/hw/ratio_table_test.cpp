#include "hw/ratio_table.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom::hw {
namespace {

constexpr std::array<std::string_view, 2> kColumns{"m", "n"};

nlohmann::json document() {
  return {{"scales", {{"m", 0.5}, {"n", 1.0}}},
          {"shapes", {{4095, 255}, {15, 255}, {15, 65535}}},
          {"weights", {0.1, -0.2, 0.3}},
          {"median_error", 0.02},
          {"p90_error", 0.08}};
}

RatioTable read(const nlohmann::json& json) {
  JsonReader reader{json, "x.json#"};
  return read_ratio_table(reader, kColumns);
}

}  // namespace

TEST_CASE("the kernel falls from one to zero and stays there", "[hw][ratios]") {
  const auto dimensions = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{9});
  CHECK(ratio_kernel(0.0, dimensions) == 1.0);
  double last = 1.0;
  for (double d = 0.01; d < 1.2; d += 0.01) {
    const double now = ratio_kernel(d, dimensions);
    CHECK(now <= last);
    CHECK(now >= 0.0);
    last = now;
  }
  CHECK(ratio_kernel(1.0, dimensions) == 0.0);
  CHECK(ratio_kernel(1.0 - 1e-6, dimensions) < 1e-12);
}

TEST_CASE("a shape takes the weights within reach and no others", "[hw][ratios]") {
  const RatioTable table = read(document());
  // the three shapes lie 4 (m: eight octaves at half scale) and 8 units apart
  const auto at = [&](double m, double n) { return table.at(std::array{m, n}); };
  CHECK(at(4095, 255).log_ratio == Approx(0.1));
  CHECK(at(15, 255).log_ratio == Approx(-0.2));
  CHECK(at(15, 65535).log_ratio == Approx(0.3));
  // one octave of m is half a unit: two dimensions, power 4
  CHECK(at(31, 255).log_ratio == Approx(-0.2 * std::pow(0.5, 4) * 3.0));
  CHECK(at(31, 255).covered);
  CHECK_FALSE(at(63, 255).covered);
  CHECK(at(63, 255).log_ratio == 0.0);
  CHECK_FALSE(at(15, 511).covered);
  CHECK_FALSE(RatioTable{}.at({}).covered);
}

TEST_CASE("ratios that do not fit their shapes are refused with a pointer", "[hw][ratios]") {
  struct Row {
    const char* where;
    nlohmann::json value;
    const char* said;
  };
  const std::vector<Row> rows{
      {"/weights", {0.1, 0.2}, "x.json#/weights"}, {"/shapes/1", {15}, "x.json#/shapes"},
      {"/shapes/1/0", "many", "x.json#/shapes"},   {"/scales/m", 0.0, "x.json#/scales/m"},
      {"/scales/k", 1.0, "x.json#/scales"},        {"/p90_error", nullptr, "x.json#/p90_error"}};
  for (const Row& row : rows) {
    CAPTURE(row.where);
    nlohmann::json bad = document();
    bad[nlohmann::json::json_pointer(row.where)] = row.value;
    std::string text;
    try {
      read(bad);
    } catch (const InputError& error) {
      text = error.what();
    }
    CAPTURE(text);
    CHECK(text.find(row.said) == 0);
  }
}

}  // namespace fathom::hw
