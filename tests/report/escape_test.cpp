#include "report/escape.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"

using namespace fathom::report;

TEST_CASE("escaped HTML holds no character that begins markup", "[report][escape]") {
  CHECK(escape_html("<a href=\"x\">'&'</a>") ==
        "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  CHECK(html_inline("use `a<b` & go") == "use <code>a&lt;b</code> &amp; go");
}

TEST_CASE("Markdown text cannot become markup", "[report][escape]") {
  CHECK(escape_markdown("a|b *c* [d] <e> $2 to $3") == "a\\|b \\*c\\* \\[d\\] &lt;e> \\$2 to \\$3");
  CHECK(escape_markdown("# not a heading") == "\\# not a heading");
  CHECK(escape_markdown("- not a list") == "\\- not a list");
  CHECK(escape_markdown("1. not a list") == "1\\. not a list");
  CHECK(escape_markdown("---") == "\\---");
  CHECK(escape_markdown("two\nlines") == "two lines");
}

TEST_CASE("Markdown leaves numbers and snake case readable", "[report][escape]") {
  CHECK(escape_markdown("41.8") == "41.8");
  CHECK(escape_markdown("-5.2") == "-5.2");
  CHECK(escape_markdown("kv_lora_rank") == "kv_lora_rank");
  CHECK(escape_markdown("_emphasis_") == "\\_emphasis\\_");
}

TEST_CASE("a pipe inside Markdown code keeps its table cell whole", "[report][escape]") {
  CHECK(escape_markdown("`a|b`") == "`a\\|b`");
}

TEST_CASE("CSV quotes exactly the fields that need it", "[report][escape]") {
  CHECK(escape_csv("plain") == "plain");
  CHECK(escape_csv("a,b") == "\"a,b\"");
  CHECK(escape_csv("say \"hi\"") == "\"say \"\"hi\"\"\"");
  CHECK(escape_csv("two\nlines") == "\"two\nlines\"");
  CHECK(escape_csv(" edge") == "\" edge\"");
}

TEST_CASE("a percent-encoded text survives in an attribute and a URI", "[report][escape]") {
  CHECK(percent_encode("a b\r\n\"#%&µ") == "a%20b%0D%0A%22%23%25%26%C2%B5");
}

TEST_CASE("JSON inside a script element means the same and ends nothing", "[report][escape]") {
  const nlohmann::json value{{"a", "</script><!-- & ]]>"}};
  const std::string text = escape_script(value.dump());
  CHECK(text.find_first_of("<>&") == std::string::npos);
  CHECK(nlohmann::json::parse(text) == value);
}
