#include "report/what_if.hpp"

#include "catch.hpp"
#include "report/builders/what_if.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"

using namespace fathom;
using namespace fathom::report;

namespace {

WhatIf block() {
  return {.scenario = R"({"name": "</script><b>"})",
          .document = R"({"name": "</script><b>"})",
          .command = "fathom estimate 'a <b>.json'",
          .files = {{"models/a.json", "{}"}},
          .sliders = {{.pointer = "/workload/context_tokens",
                       .label = "Context <i>",
                       .unit = "tokens",
                       .stops = {1024.0, 4096.0, 8192.0},
                       .value = 4096.0}},
          .figures = {{.pointer = "/estimate/tpot_s",
                       .label = "TPOT",
                       .unit = "ms",
                       .scale = 1e3,
                       .value = 0.05}}};
}

Document page() {
  return {.title = "A page", .blocks = {KeyFigures{}, Paragraph{"the rest"}, block(), block()}};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++out;
  return out;
}

}  // namespace

TEST_CASE("where nothing can be moved, the command that moves is named", "[report][whatif]") {
  CHECK_THAT(render_markdown(page()), contains("--set /workload/context\\_tokens=8192") ||
                                          contains("--set /workload/context_tokens=8192"));
}

TEST_CASE("a page has sliders if the program has a calculator, and says so if not",
          "[report][whatif]") {
  const std::string html = render_html(page());
  if (has_calculator()) {
    CHECK(count(html, "<div class=\"what-if\"") == 2);
    CHECK(count(html, "id=\"calculator-code\"") == 1);
    CHECK_THAT(html, contains("'wasm-unsafe-eval'"));
  } else {
    CHECK(count(html, "type=\"range\"") == 0);
    CHECK_THAT(html, contains("built with emscripten"));
  }
}

TEST_CASE("a page without sliders carries no calculator and compiles nothing", "[report][whatif]") {
  const std::string html = render_html({.title = "A page", .blocks = {Paragraph{"text"}}});
  CHECK(count(html, "calculator") == 0);
  CHECK(count(html, "wasm-unsafe-eval") == 0);
}

TEST_CASE("names in a scenario are no markup", "[report][whatif]") {
  const std::string html = what_if_html(block(), "what-if-1");
  CHECK(count(html, "</script>") == 1);
  CHECK(count(html, "<b>") == 0);
  CHECK(count(html, "<i>") == 0);
}

TEST_CASE("a slider stands where the scenario does", "[report][whatif]") {
  const std::string html = what_if_html(block(), "what-if-1");
  CHECK_THAT(html, contains("min=\"0\" max=\"2\" step=\"1\" value=\"1\""));
  CHECK_THAT(html, contains("data-v=\"0.05\">50.0<"));
}

TEST_CASE("sliders come below the key figures", "[report][whatif]") {
  Document document = page();
  insert_what_if(document, {Heading{.level = 2, .text = "What if"}}, "The rest");
  REQUIRE(document.blocks.size() == 6);
  CHECK(std::holds_alternative<KeyFigures>(document.blocks[0].content));
  CHECK(std::get<Heading>(document.blocks[1].content).text == "What if");
  CHECK(std::get<Heading>(document.blocks[2].content).text == "The rest");
}
