#include "report/html.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "catch.hpp"
#include "report/assets.hpp"
#include "report/chart.hpp"
#include "samples.hpp"

using namespace fathom::report;

namespace {

std::string without(std::string text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
  return text;
}

std::string without_library(std::string page) {
  const std::string_view library = assets::chart_library();
  return library.empty() ? page : without(std::move(page), library);
}

bool has_library() { return !chart_library_version().empty(); }

}  // namespace

TEST_CASE("a page refers to nothing outside itself", "[report][html]") {
  // The library names its authors' pages in comments.
  const std::string page = without_library(
      without(render_html(sample_document()), "xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK_FALSE(contains(page, "http://"));
  CHECK_FALSE(contains(page, "https://"));
  CHECK_FALSE(contains(page, "src="));
  CHECK_FALSE(contains(page, "<link"));
  CHECK_FALSE(contains(page, "@import"));
}

TEST_CASE("the body of a page closes every tag it opens", "[report][html]") {
  const std::string page = render_html(sample_document());
  const auto begin = page.find("<header");
  const auto end = page.find("<script>", begin);
  REQUIRE(begin < end);
  CHECK(xml_fault(page.substr(begin, end - begin)) == "");
}

TEST_CASE("text of a document cannot become markup of the page", "[report][html]") {
  const std::string page = render_html(sample_document());
  CHECK_FALSE(contains(page, "<script>\"x\""));
  CHECK(contains(page, "&lt;script&gt;"));
  CHECK(contains(page, "<title>Sample &lt;report&gt;</title>"));
}

TEST_CASE("a page shows every row, with all digits beside the rounded ones", "[report][html]") {
  const std::string page = render_html(sample_document());
  CHECK(count(page, "<th scope=\"row\">latent_attention</th>") == 2);
  CHECK(contains(page, "data-v=\"0.3333333333333333\">0.333"));
  CHECK(contains(page, "data-v=\"12345.678\""));
}

TEST_CASE("every table and plot of a page offers its CSV", "[report][html]") {
  // Two tables, the data of three plots, and the inputs.
  CHECK(count(render_html(sample_document()), "href=\"data:text/csv") == 6);
}

TEST_CASE("the table of contents leads to sections that exist", "[report][html]") {
  const std::string page = render_html(sample_document());
  for (const Section& section : sections(sample_document())) {
    CHECK(count(page, "id=\"" + section.anchor + "\"") == 1);
    CHECK(count(page, "href=\"#" + section.anchor + "\"") == 2);
  }
}

TEST_CASE("the same document is the same page, of a sane size", "[report][html]") {
  const std::string page = render_html(sample_document());
  CHECK(page == render_html(sample_document()));
  CHECK(without_library(page).size() < 100'000);
}

TEST_CASE("the library is on a page once if it has a figure, and not at all if not",
          "[report][html]") {
  const Document text{.title = "Words", .blocks = {Paragraph{"None."}, sample_table()}};
  CHECK(count(render_html(text), "Chart.js") == 0);
  const std::string page = render_html(sample_document());
  CHECK(count(page, "window.Chart=") == (has_library() ? 1 : 0));
  CHECK(contains(page, has_library() ? "Figures by Chart.js" : "Figures are static"));
}

TEST_CASE("every figure stays in its static form beside the chart", "[report][html]") {
  const std::string page = render_html(sample_document());
  CHECK(count(page, "<svg xmlns") == 3);  // lanes are drawn once, for both
  CHECK(count(page, "<div class=\"chart\">") == (has_library() ? 2 : 0));
}

TEST_CASE("a chart's data are the plot, with the figure's scales", "[report][html]") {
  const std::string html = chart_html(sample_plot());
  const auto begin = html.find("json\">") + 6;
  const auto data =
      nlohmann::json::parse(html.substr(begin, html.find("</script>", begin) - begin));
  CHECK(data["series"][0]["ys"][3].get<double>() == sample_plot().series[0].ys[3]);
  CHECK(data["series"][0]["name"] == "measured <raw>");
  CHECK(data["references"].size() == 3);
  CHECK(data["x"]["scale"] == "log");
  const double lo = data["x"]["shown"]["lo"];
  const double hi = data["x"]["shown"]["hi"];
  CHECK(lo <= 1.0);
  CHECK(hi >= sample_plot().series[0].xs.back());
}

TEST_CASE("hostile names stay text in a chart", "[report][html]") {
  const std::string name = GENERATE(std::string("</script><script>alert(1)</script>"),
                                    std::string("<!--<script>"), std::string("\"' onload=\"x"),
                                    std::string("a\nb \xE2\x80\xAE rtl"), std::string(10'000, '<'));
  Plot plot = sample_bars();
  plot.title = plot.series[0].name = plot.x.categories[0] = plot.x.label = name;
  plot.references = {{ReferenceKind::horizontal, 10, name}};
  const std::string page = render_html({.title = name, .blocks = {plot}});
  CHECK_FALSE(contains(page, "<script>alert"));
  CHECK_FALSE(contains(page, "<!--"));
  CHECK(count(page, "<script") == count(page, "</script"));
  const auto begin = page.find("<header");
  CHECK(xml_fault(page.substr(begin, page.find("<script>", begin) - begin)) == "");
}
