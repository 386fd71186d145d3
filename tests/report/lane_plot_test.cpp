#include "report/lane_plot.hpp"

#include "catch.hpp"
#include "core/error.hpp"
#include "report/csv.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "report/plot_labels.hpp"
#include "report/terminal.hpp"
#include "samples.hpp"

using namespace fathom;
using namespace fathom::report;

namespace {

struct Drawn {
  double left = 0;
  double width = 0;
};

// Bars of the drawing, those of the legend left out.
std::vector<Drawn> drawn_bars(const std::string& svg) {
  std::vector<Drawn> out;
  for (auto at = svg.find("<title>"); at != std::string::npos; at = svg.find("<title>", at + 1)) {
    const auto open = svg.rfind('<', at - 1);
    if (svg.compare(open, 5, "<rect") != 0) continue;
    out.push_back({std::stod(svg.substr(svg.find("x=\"", open) + 3)),
                   std::stod(svg.substr(svg.find("width=\"", open) + 7))});
  }
  return out;
}

LanePlot two_bars(double first, double second) {
  return {.title = "Two",
          .x = {.label = "x", .min = 0.0, .max = first + second},
          .lane_label = "lane",
          .lanes = {"a"},
          .groups = {"g"},
          .bars = {{.start = 0, .length = first}, {.start = first, .length = second}}};
}

}  // namespace

TEST_CASE("bars of a lane are as long as their numbers and touch where these do",
          "[report][lanes]") {
  const auto bars = drawn_bars(render_svg(two_bars(30, 10)));
  REQUIRE(bars.size() == 2);
  CHECK(bars[0].width == Approx(3 * bars[1].width).epsilon(1e-3));
  CHECK(bars[0].left + bars[0].width == Approx(bars[1].left).margin(0.011));  // two decimals
}

TEST_CASE("a bar of negative length reaches to the left", "[report][lanes]") {
  LanePlot plot = two_bars(30, 10);
  plot.bars = {{.start = 20, .length = -5}};
  const auto bars = drawn_bars(render_svg(plot));
  plot.bars = {{.start = 15, .length = 5}};
  const auto same = drawn_bars(render_svg(plot));
  REQUIRE(bars.size() == 1);
  CHECK(bars[0].left == same[0].left);
  CHECK(bars[0].width == same[0].width);
}

TEST_CASE("the drawing of lanes is well-formed and holds every fact", "[report][lanes]") {
  const bool standalone = GENERATE(false, true);
  const std::string svg = render_svg(sample_lanes(), {.standalone = standalone});
  CHECK(xml_fault(svg).empty());
  CHECK(contains(svg, "bound: memory"));
  CHECK(contains(svg, "data-how=\"how-latent-attention\""));
  CHECK(contains(svg, ">deadline<"));
  CHECK_FALSE(contains(svg, "<script>"));
}

TEST_CASE("the data of lanes has a row per bar and per mark", "[report][lanes]") {
  const LanePlot plot = sample_lanes();
  const Table table = data_table(plot);
  REQUIRE(table.rows.size() == plot.bars.size() + plot.marks.size());
  CHECK(column_keys(table) ==
        std::vector<std::string>{"lane", "what", "kind", "from_us", "to_us", "bound"});
  CHECK(*number(table.rows[0][4]) == 12.5);
  CHECK(*number(table.rows[2][3]) == 11);
}

TEST_CASE("a name that is too long ends in an ellipsis, between characters", "[report][lanes]") {
  const std::string name(10'000, 'x');
  CHECK(elided("short", 100, 12) == "short");
  const std::string cut = elided(name, 100, 12);
  CHECK(text_width(cut, 12) <= 100);
  CHECK(cut.ends_with("…"));
  CHECK(elided("ééééééééééééé", 40, 12).size() % 2 ==
        1);  // two bytes each, and three of the ellipsis
  LanePlot plot = two_bars(1, 1);
  plot.lanes = plot.groups = {name};
  plot.bars[0].label = name;
  CHECK_FALSE(contains(render_svg(plot), "\"-"));  // nothing has a negative place or size
}

TEST_CASE("a bar outside of the lanes is a bug", "[report][lanes]") {
  LanePlot plot = sample_lanes();
  plot.bars[0].lane = plot.lanes.size();
  CHECK_THROWS_AS(check(plot), BugError);
  plot = sample_lanes();
  plot.references[0].kind = ReferenceKind::horizontal;
  CHECK_THROWS_AS(check(plot), BugError);
}

TEST_CASE("files carry pictures of lanes and workings, a terminal neither", "[report][lanes]") {
  const Document document = sample_document();
  CHECK(contains(render_markdown(document), "Lanes"));
  CHECK(contains(render_markdown(document), "bytes / bandwidth"));
  CHECK(contains(render_csv(document), "12.5"));
  CHECK_FALSE(contains(render_terminal(document), "attention\n"));
  CHECK_FALSE(contains(render_terminal(document), "bytes / bandwidth"));
}

TEST_CASE("every link to a working finds it on the page", "[report][lanes]") {
  Document document = sample_document();
  Table table = sample_table();
  table.anchors = {"how-latent-attention", "", ""};
  document.blocks.emplace_back(table);
  const std::string page = render_html(document);
  for (const char* anchor : {"how-tpot", "how-latent-attention"}) {
    CAPTURE(anchor);
    CHECK(contains(page, std::string("class=\"how\" href=\"#") + anchor + "\""));
    CHECK(count(page, std::string("id=\"") + anchor + "\"") == 1);
  }
}
