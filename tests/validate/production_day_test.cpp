#include "validate/production_day.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "study/evaluate.hpp"
#include "validate/validate_page.hpp"

using namespace fathom;
using namespace fathom::validate;
using nlohmann::json;

namespace {

json document() {
  return read_json(std::string(FATHOM_SOURCE_DIR) + "/examples/day-deepseek-2025-02-27.json");
}

}  // namespace

TEST_CASE("the published nodes cost 226.75 x 8 x 24 x 2 dollars a day", "[validate][day]") {
  const DayEstimate day = estimate(parse_day(document(), "day#"));
  CHECK(day.published_cost.value == Approx(226.75 * 8 * 24 * 2).epsilon(1e-12));
  CHECK(day.published_cost.value == Approx(87072).epsilon(1e-12));
}

TEST_CASE("income is tokens times prices", "[validate][day]") {
  const DayEstimate day = estimate(parse_day(document(), "day#"));
  const double expected = 342e3 * 0.14 + (608e3 - 342e3) * 0.55 + 168e3 * 2.19;
  CHECK(day.income.value == Approx(expected).epsilon(1e-12));
  CHECK(day.published_margin == Approx(expected / 87072 - 1.0).epsilon(1e-12));
}

TEST_CASE("nodes make the day's tokens in a day, no more and no less", "[validate][day]") {
  const ProductionDay day = parse_day(document(), "day#");
  const DayEstimate e = estimate(day);
  CHECK(e.decode_nodes * e.decode_per_node * 86400 == Approx(168e9).epsilon(1e-12));
  CHECK(e.prefill_nodes * e.prefill_per_node * 86400 == Approx(266e9).epsilon(1e-12));
  CHECK(e.nodes == e.prefill_nodes + e.decode_nodes);
  const auto answer = study::evaluate(day.decode);
  const auto& decode = std::get<infer::InferEstimate>(answer.outcome);
  CHECK(e.decode_per_node == Approx(8 * decode.per_device.value).epsilon(1e-12));
}

TEST_CASE("twice the price of a GPU hour is twice the cost", "[validate][day][property]") {
  ProductionDay day = parse_day(document(), "day#");
  const double cost = estimate(day).cost.value;
  day.gpu_hour *= 2.0;
  CHECK(estimate(day).cost.value == Approx(2.0 * cost).epsilon(1e-12));
}

TEST_CASE("a unit that cannot run says so instead of a number", "[validate][day]") {
  ProductionDay day = parse_day(document(), "day#");
  std::get<infer::DecodeQuery>(day.decode.workload).sequences *= 100.0;
  const DayEstimate e = estimate(day);
  CHECK_FALSE(e.infeasible.empty());
  CHECK(to_json(e).contains("infeasible"));
  CHECK(day_section({day, e}).size() == 2);  // heading and warning
}

TEST_CASE("mistakes in a day are named", "[validate][day]") {
  json day = document();
  day["hit_tokens"] = 700e9;  // more than came in
  CHECK_THROWS_WITH(parse_day(day, "day#"), contains("day#/hit_tokens"));
  day = document();
  day["decode"] = "deepseek-day6-decod";
  CHECK_THROWS_WITH(parse_day(day, "day#"), contains("day#/decode") && contains("did you mean"));
  day = document();
  day["published"]["node"] = 3;
  CHECK_THROWS_WITH(parse_day(day, "day#"), contains("day#/published"));
}
