#include "report/point_set.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"
#include "report/builders/sweep.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "samples.hpp"

using namespace fathom;
using namespace fathom::report;
using nlohmann::json;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

PointSet two_columns(std::size_t points) {
  PointSet out{.note = "Invented.",
               .columns = {{.name = "/plan/tp", .input = true}, {.name = "t"}}};
  for (std::size_t i = 0; i < points; ++i) {
    out.numbers.push_back(static_cast<std::int64_t>(2 * i));
    out.columns[0].values.push_back(static_cast<double>(i % 2 == 0 ? 8 : 1));
    out.columns[1].values.push_back(std::sqrt(static_cast<double>(i)));
  }
  return out;
}

// A row of a sweep whose base and third input never differ.
sweep::Row row(std::int64_t number, double tp, double speed) {
  return {.number = number, .inputs = {0, tp, 7}, .results = {1 / speed, speed}};
}

SweepPage page_of(const char* name) {
  return {.name = name,
          .database = "s.db",
          .points = 3,
          .end = 3,
          .next = 3,
          .summary = {.layout = {.inputs = {{"base", sweep::ColumnKind::text, {name}},
                                            {.name = "/plan/tp"},
                                            {.name = "/plan/pp"}},
                                 .results = {{.name = "cost"}, {.name = "speed"}}},
                      .objectives = {{.column = 1, .maximize = true}},
                      .groups = {{.base = name, .front = {row(1, 4, 9)}}}},
          .sample = {.rows = {row(0, 2, 5), row(2, 8, 6)}, .stride = 2, .of = 3}};
}

}  // namespace

TEST_CASE("a column of few values is bytes into a table of them", "[report][points]") {
  const json data = json::parse(points_json(two_columns(4), 1000));
  const json& tp = data["columns"][0];
  CHECK(tp["coding"] == "u8");
  CHECK(tp["table"] == json{1.0, 8.0});
  CHECK(tp["data"] == "AQABAA==");  // bytes 1, 0, 1, 0: RFC 4648 groups 010000 000100 …
}

TEST_CASE("a value that is missing is the largest index", "[report][points]") {
  PointSet points = two_columns(3);
  points.columns[0].values[2] = kNone;
  const json data = json::parse(points_json(points, 1000));
  CHECK(data["columns"][0]["data"] == "AQD/");  // 1, 0, 255
}

TEST_CASE("a column of many values is four bytes a point", "[report][points]") {
  const std::size_t points = 5000;  // more than a table is worth
  const json data = json::parse(points_json(two_columns(points), 1'000'000));
  CHECK(data["columns"][1]["coding"] == "f32");
  // Base64 writes three bytes in four characters, the last group filled up.
  CHECK(data["columns"][1]["data"].get<std::string>().size() == (4 * points + 2) / 3 * 4);
}

TEST_CASE("columns beyond the budget are named and left out", "[report][points]") {
  const json data = json::parse(points_json(two_columns(5000), 10'000));
  CHECK(data["columns"].size() == 1);
  CHECK(data["left_out"].size() == 1);
}

TEST_CASE("numbers are their steps", "[report][points]") {
  const json numbers = json::parse(points_json(two_columns(4), 1000))["numbers"];
  CHECK(numbers["first"] == 0);
  CHECK(numbers["table"] == json{0.0, 2.0});
  CHECK(numbers["data"] == "AAEBAQ==");  // 0, 1, 1, 1
}

TEST_CASE("points that contradict themselves are a bug", "[report][points]") {
  PointSet short_column = two_columns(2);
  short_column.columns[0].values.pop_back();
  CHECK_THROWS_AS(check(short_column), BugError);
  PointSet fallen = two_columns(2);
  fallen.numbers = {2, 2};
  CHECK_THROWS_AS(check(fallen), BugError);
  PointSet textless = two_columns(2);
  textless.columns[0].texts = {"only"};  // index 8 has no text
  CHECK_THROWS_AS(check(textless), BugError);
}

TEST_CASE("a sweep's points are the sample and the front, with what differs", "[report][points]") {
  const PointSet points = sweep_points(page_of("decode"));
  CHECK(points.numbers == std::vector<std::int64_t>{0, 1, 2});
  CHECK(points.front == std::vector<std::size_t>{1});
  REQUIRE(points.columns.size() == 3);
  CHECK(points.columns[0].header == "tp");
  CHECK(points.columns[0].input);
  CHECK(points.columns[1].name == "speed");  // the objective before the other results
  CHECK(points.columns[1].better == Better::high);
  CHECK(points.columns[2].name == "cost");
  CHECK(contains(points.note, "one in 2"));
}

TEST_CASE("hostile names stay text inside a page's data", "[report][points][html]") {
  const std::string name = GENERATE(
      std::string("</script><script>alert(1)</script>"), std::string("<!--<script>"),
      std::string("\"quote' & \\ \n \xE2\x80\xA8 \xE2\x80\xAE rtl"), std::string(10'000, '<'));
  SweepPage page = page_of(name.c_str());
  page.summary.layout.inputs.push_back({name, sweep::ColumnKind::text, {name, "other"}});
  double index = 0;
  for (sweep::Row* one :
       {&page.sample.rows[0], &page.sample.rows[1], &page.summary.groups[0].front[0]}) {
    one->inputs.push_back(index);
    index = 1 - index;
  }
  const std::string html = render_html(sweep_document(page));
  CHECK_FALSE(contains(html, "<script>alert"));
  CHECK_FALSE(contains(html, "<!--"));
  // Every script element that opens is closed by itself.
  CHECK(count(html, "<script") == count(html, "</script"));
  const auto begin = html.find("<script type=\"application/json\">") + 32;
  const json data = json::parse(html.substr(begin, html.find("</script>", begin) - begin));
  CHECK(data["columns"][1]["texts"].size() == 2);
}

TEST_CASE("formats without script say which points there are", "[report][points]") {
  const Document document{.blocks = {two_columns(3)}};
  CHECK(contains(render_markdown(document), "Invented."));
}
