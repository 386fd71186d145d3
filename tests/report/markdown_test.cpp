#include "report/markdown.hpp"

#include "catch.hpp"
#include "samples.hpp"

using namespace fathom::report;

TEST_CASE("a Markdown table aligns numbers right and marks its cells", "[report][markdown]") {
  const std::string text = render_markdown({.blocks = {sample_table()}});
  CHECK(contains(text, "| operator | estimate (ms) | share |\n| --- | ---: | ---: |\n"));
  CHECK(contains(text, "| latent_attention | *0.333* | 75.0 % |\n"));
  CHECK(contains(text, "| grouped_gemm | **0.100** | 25.0 % |\n"));
}

TEST_CASE("every Markdown table row has as many bars as its header", "[report][markdown]") {
  const std::string text = render_markdown({.blocks = {sample_table()}});
  for (std::size_t at = text.find("\n|"); at != std::string::npos; at = text.find("\n|", at + 1)) {
    const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    CAPTURE(line);
    CHECK(count(line, "|") - count(line, "\\|") == 4);
  }
}

TEST_CASE("plots refer to the files the caller names, else show their data", "[report][markdown]") {
  const Document document{.blocks = {sample_bars()}};
  const MarkdownOptions options{
      .plot_path = [](int number) { return "plots/figure " + std::to_string(number) + ".svg"; }};
  const std::string linked = render_markdown(document, options);
  CHECK(contains(linked, "![Two kinds of memory](plots/figure%201.svg)"));
  CHECK(contains(linked, "<details><summary>Data (2 rows)</summary>"));
  CHECK_FALSE(contains(render_markdown(document), "!["));
  CHECK(contains(render_markdown(document), "| ep 64 | 20.0 | 30.0 |"));
}

TEST_CASE("a fence is longer than any run of backticks inside", "[report][markdown]") {
  const std::string text = render_markdown({.blocks = {CodeBlock{"a ```` b", ""}}});
  CHECK(contains(text, "`````\na ```` b\n`````\n"));
}
