#include "report/document.hpp"

#include <set>

#include "catch.hpp"
#include "samples.hpp"

using namespace fathom::report;

TEST_CASE("documents compare by value, however deep the difference", "[report][document]") {
  const Document document = sample_document();
  Document other = document;
  CHECK(other == document);
  std::get<Paragraph>(std::get<Details>(other.blocks.back().content).blocks[0].content).text = "!";
  CHECK_FALSE(other == document);
}

TEST_CASE("every section has an anchor of its own", "[report][document]") {
  const auto found = sections(sample_document());
  REQUIRE(found.size() == 3);
  CHECK(found[0].anchor == "operators");
  CHECK(found[2].anchor == "operators-2");
  CHECK(found[2].level == 3);
}

TEST_CASE("headings cannot take the anchors a page needs itself", "[report][document]") {
  const auto found = sections({.blocks = {Heading{2, "Provenance", ""}, Heading{2, "深", ""}}});
  CHECK(found[0].anchor == "provenance-2");
  CHECK(found[1].anchor == "section");
}
