#include "report/html.hpp"

#include "catch.hpp"
#include "samples.hpp"

using namespace fathom::report;

namespace {

std::string without(std::string text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
  return text;
}

}  // namespace

TEST_CASE("a page refers to nothing outside itself", "[report][html]") {
  const std::string page =
      without(render_html(sample_document()), "xmlns=\"http://www.w3.org/2000/svg\"");
  CHECK_FALSE(contains(page, "http://"));
  CHECK_FALSE(contains(page, "https://"));
  CHECK_FALSE(contains(page, "src="));
  CHECK_FALSE(contains(page, "<link"));
  CHECK_FALSE(contains(page, "@import"));
}

TEST_CASE("the body of a page closes every tag it opens", "[report][html]") {
  const std::string page = render_html(sample_document());
  const auto begin = page.find("<header");
  const auto end = page.find("<script>");
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
  // Two tables, the data of two plots, and the inputs.
  CHECK(count(render_html(sample_document()), "href=\"data:text/csv") == 5);
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
  CHECK(page.size() < 100'000);
}
