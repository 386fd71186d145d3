#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "lang/catalogue.hpp"
#include "report/csv.hpp"
#include "report/html.hpp"
#include "report/in_language.hpp"
#include "report/markdown.hpp"
#include "report/plot_labels.hpp"
#include "report/script_words.hpp"
#include "report/svg.hpp"
#include "report/terminal.hpp"
#include "report/text.hpp"
#include "samples.hpp"

using namespace fathom::report;
namespace lang = fathom::lang;

namespace {

struct InChinese {
  InChinese() { lang::speak(lang::Language::chinese); }
  ~InChinese() { lang::speak(lang::Language::english); }
  InChinese(const InChinese&) = delete;
  InChinese& operator=(const InChinese&) = delete;
};

// Words of the catalogue stand for words of a document.
Document document_of_known_words() {
  Table table{.title = "Inputs",
              .columns = {text_column("input"), number_column("value", "ms"), text_column("hash")},
              .rows = {{"best", Cell{1.5, Mark::best}, "none"}, {"a|b", 2.0, "x"}}};
  Plot plot{.title = "Best points",
            .x = {.label = "value", .unit = "B"},
            .y = {.label = "point", .unit = "ms"},
            .series = {{.name = "best", .xs = {1, 2}, .ys = {3, 4}},
                       {.name = "bound", .xs = {1, 2}, .ys = {5, 6}}}};
  return {.title = "Contents",
          .metadata = {.version = "1.2"},
          .blocks = {Heading{.level = 2, .text = "Provenance"},
                     Note{NoteKind::assumption, "Contents"}, table, plot}};
}

}  // namespace

TEST_CASE("fixed words of every format are in the language spoken", "[report][language]") {
  const InChinese chinese;
  const Document document = in_language(document_of_known_words());
  const std::string html = render_html(document);
  for (const char* words :
       {"lang=\"zh-CN\"", "<b>表 1。</b>", "<b>图 1。</b>", "<h2>来源与版本</h2>",
        "由 fathom 1.2 生成。", "主题：自动", "<strong>假设</strong>", "note assumption", "最优",
        "数据，2 行", "title=\"input\">输入</th>"}) {
    CAPTURE(words);
    CHECK(contains(html, words));
  }
  const std::string markdown = render_markdown(document, {});
  for (const char* words : {"**表 1。**", "**图 1。**", "> **假设：** 目录", "**粗体**：最优"}) {
    CAPTURE(words);
    CHECK(contains(markdown, words));
  }
  const std::string terminal = render_terminal(document);
  for (const char* words : {"假设：目录", "* 最优"}) {
    CAPTURE(words);
    CHECK(contains(terminal, words));
  }
  CHECK(contains(render_svg(sample_plot()), "2 个系列"));
}

TEST_CASE("CSV keeps its English keys and values in a Chinese document", "[report][language]") {
  const std::string english = render_csv(document_of_known_words());
  const InChinese chinese;
  const Document document = in_language(document_of_known_words());
  CHECK(contains(english, "input,value_ms,hash\r\nbest,1.5,none\r\n"));
  std::string csv = render_csv(document);
  for (const auto& [spoken, written] :
       {std::pair{"输入", "Inputs"}, std::pair{"最优的点", "Best points"}}) {
    const std::size_t at = csv.find(spoken);  // titles are readers' text
    if (at != std::string::npos) csv.replace(at, std::string_view(spoken).size(), written);
  }
  CHECK(csv == english);
}

TEST_CASE("the CSV of a figure of lanes keeps its English keys", "[report][language]") {
  LanePlot plot{.title = "Inputs",
                .x = {.label = "value", .unit = "ms"},
                .lane_label = "kind",
                .lanes = {"best"},
                .groups = {"bound"},
                .bars = {{.start = 1, .length = 2}}};
  Document document;
  document.blocks = {plot};
  const InChinese chinese;
  const std::string csv = render_csv(in_language(document));
  CHECK(contains(csv, "kind,from_ms,to_ms\r\nbest,1,3\r\n"));
}

TEST_CASE("anchors of a Chinese document are those of the English one", "[report][language]") {
  const Document english = document_of_known_words();
  const InChinese chinese;
  CHECK(sections(in_language(english)).front().anchor == sections(english).front().anchor);
}

TEST_CASE("columns of a terminal are aligned whatever the script", "[report][language]") {
  const Table table{.columns = {text_column("并行方案"), number_column("时延", "ms")},
                    .rows = {{"TP 8", 1.25}, {"双批次重叠", 12.5}, {"x", 125.0}}};
  const std::string text = render_terminal(table);
  std::vector<int> ends;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    ends.push_back(display_width(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  REQUIRE(ends.size() == 4);
  CHECK(std::ranges::count(ends, ends.front()) == 4);  // right-aligned numbers end in one column
}

TEST_CASE("a Chinese character of a figure is as wide as it is high", "[report][language]") {
  CHECK(text_width("时延", 12) == 24.0);
  CHECK(text_width("ab时", 10) == 0.56 * 10 * 2 + 10);
}

TEST_CASE("a page gives its scripts the texts they say, and none in English",
          "[report][language]") {
  const std::array<std::string_view, 1> scripts{
      "a = say(\"Clear filters\"); b = say(\"{} of {} points\", 1, 2); c = say(\"not known\");"};
  CHECK(said_in(scripts[0]) ==
        std::vector<std::string>{"Clear filters", "{} of {} points", "not known"});
  CHECK(script_words(scripts).empty());
  const InChinese chinese;
  const std::string words = script_words(scripts);
  const std::string_view begin = "window.fathomWords = ";
  REQUIRE(words.starts_with(begin));
  const auto dictionary = nlohmann::json::parse(
      words.substr(begin.size(), words.size() - begin.size() - std::string_view(";\n").size()));
  CHECK(dictionary.size() == 2);
  CHECK(dictionary["Clear filters"] == "清除筛选");
  CHECK_FALSE(contains(words, "</"));
}
