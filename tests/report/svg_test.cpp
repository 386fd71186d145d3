#include "report/svg.hpp"

#include <cmath>

#include "catch.hpp"
#include "samples.hpp"

using namespace fathom::report;

namespace {

Plot plot_of(SeriesKind kind) {
  return {.title = "One kind",
          .x = {.label = "x"},
          .y = {.label = "y"},
          .series = {{.name = "a", .kind = kind, .xs = {0, 1, 2, 3}, .ys = {1, -2, NAN, 4}},
                     {.name = "b", .kind = kind, .xs = {0, 1, 2, 3}, .ys = {2, 3, 4, 5}}}};
}

}  // namespace

TEST_CASE("the checker of these tests finds broken XML", "[report][svg]") {
  CHECK(xml_fault("<a b=\"c\"><d/>&amp;</a>").empty());
  CHECK_FALSE(xml_fault("<a><b></a></b>").empty());
  CHECK_FALSE(xml_fault("<a>").empty());
  CHECK_FALSE(xml_fault("<a>x & y</a>").empty());
}

TEST_CASE("an SVG is well-formed whatever the plot", "[report][svg]") {
  const auto kind = GENERATE(SeriesKind::line, SeriesKind::points, SeriesKind::line_points,
                             SeriesKind::bars, SeriesKind::step, SeriesKind::area);
  const bool standalone = GENERATE(false, true);
  Plot plot = plot_of(kind);
  plot.stacked = GENERATE(false, true);
  plot.y.scale = GENERATE(AxisScale::linear, AxisScale::log);
  CAPTURE(static_cast<int>(kind), standalone, plot.stacked);
  const std::string svg = render_svg(plot, {.standalone = standalone});
  CHECK(xml_fault(svg) == "");
  CHECK_FALSE(contains(svg, "nan"));
  CHECK_FALSE(contains(svg, "inf"));
}

TEST_CASE("every point of a plot has its hover title", "[report][svg]") {
  const Plot plot = sample_plot();
  const std::string svg = render_svg(plot);
  // One more for the plot's own title.
  CHECK(count(svg, "<title") == 1 + plot.series[0].xs.size() + plot.series[1].xs.size());
  CHECK(contains(svg, "op_39, measured &lt;raw&gt;: "));
}

TEST_CASE("labels and references are drawn as text", "[report][svg]") {
  const std::string svg = render_svg(sample_plot());
  for (const char* label : {">target<", ">ridge<", ">half<", ">op_0<", ">model<"}) {
    CAPTURE(label);
    CHECK(contains(svg, label));
  }
}

TEST_CASE("only a standalone SVG brings its own style", "[report][svg]") {
  CHECK_FALSE(contains(render_svg(sample_plot()), "<style>"));
  CHECK(contains(render_svg(sample_plot(), {.standalone = true}), "<style>"));
}

TEST_CASE("the style of a standalone SVG needs no variables and no media queries",
          "[report][svg]") {
  const std::string svg = render_svg(sample_plot(), {.standalone = true});
  CHECK_FALSE(contains(svg, "var("));
  CHECK_FALSE(contains(svg, "@media"));
  // The first colour of the light set, as plot.css has it.
  CHECK(contains(svg, ".plot .s1 { color: #0b62a4; }"));
}

TEST_CASE("a plot without data says so", "[report][svg]") {
  CHECK(contains(render_svg(Plot{.title = "Nothing"}), "no data"));
}

TEST_CASE("stacked bars reach the sum of their parts", "[report][svg]") {
  // Upper bar's foot is the lower bar's top: y + height of one is y of the other.
  const std::string svg = render_svg(sample_bars());
  std::vector<std::pair<double, double>> bars;
  for (auto at = svg.find("<rect class=\"bar\" x="); at != std::string::npos;
       at = svg.find("<rect class=\"bar\" x=", at + 1)) {
    const auto y = svg.find("y=\"", at) + 3;
    const auto height = svg.find("height=\"", at) + 8;
    bars.emplace_back(std::stod(svg.substr(y)), std::stod(svg.substr(height)));
  }
  REQUIRE(bars.size() == 2 + 4);  // two in the legend
  CHECK(std::abs(bars[4].first + bars[4].second - bars[2].first) < 0.21);
  CHECK(std::abs(bars[5].first + bars[5].second - bars[3].first) < 0.21);
}
