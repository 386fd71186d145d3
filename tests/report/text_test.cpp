#include "report/text.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "catch.hpp"
#include "report/character_width.hpp"

using namespace fathom::report;

TEST_CASE("clean text holds no control characters and no stray bytes", "[report][text]") {
  CHECK(clean("\x1b[31mred") == "\xEF\xBF\xBD[31mred");
  CHECK(clean("a\xFFz") == "a\xEF\xBF\xBDz");
  CHECK(clean("\xE2\x80\xAEtxt") == "\xEF\xBF\xBDtxt");  // right-to-left override
  CHECK(clean("µs · 32 × 8\n\t") == "µs · 32 × 8\n\t");
}

TEST_CASE("backticks pair up, and one without a partner is text", "[report][text]") {
  const auto parts = spans("a `b` c");
  REQUIRE(parts.size() == 3);
  CHECK(parts[1].code);
  CHECK(parts[1].text == "b");
  CHECK(without_backticks("a `b` c") == "a b c");
  CHECK(without_backticks("5` long") == "5` long");
  CHECK(without_backticks("``") == "``");
}

TEST_CASE("width counts what a terminal draws, not bytes", "[report][text]") {
  CHECK(display_width("TB/s") == 4);
  CHECK(display_width("µs · 32 × 8") == 11);
  CHECK(display_width("e\xCC\x81") == 1);  // e and a combining acute
  CHECK(display_width("深度") == 4);
}

TEST_CASE("wrapped lines keep every word and the width", "[report][text]") {
  const std::string text = "one two three four five six seven";
  std::string joined;
  for (const std::string& line : wrap(text, 10)) {
    CHECK(display_width(line) <= 10);
    joined += (joined.empty() ? "" : " ") + line;
  }
  CHECK(joined == text);
  CHECK(wrap("incomprehensibilities", 5) == std::vector<std::string>{"incomprehensibilities"});
}

TEST_CASE("characters are as wide as Unicode's East Asian Width says", "[report][text]") {
  CHECK(character_width(U'a') == 1);
  CHECK(character_width(U'×') == 1);  // ambiguous
  CHECK(character_width(U'…') == 1);
  CHECK(character_width(U'中') == 2);
  CHECK(character_width(U'。') == 2);
  CHECK(character_width(U'：') == 2);  // fullwidth
  CHECK(character_width(U'ｱ') == 1);   // halfwidth
  CHECK(character_width(U'한') == 2);
  CHECK(character_width(0x303F) == 1);  // the half-fill space among the CJK symbols
  CHECK(character_width(0x20000) == 2);
  CHECK(character_width(0x1F600) == 2);
  CHECK(character_width(0x0301) == 0);
}

TEST_CASE("Chinese is wrapped between characters and keeps every one", "[report][text]") {
  const std::string text =
      "预填充与解码分离时,两个阶段放在不同的实例上。每个实例(64 块 GPU)各有一份模型。";
  for (int width = 6; width < 40; ++width) {
    std::string joined;
    for (const std::string& line : wrap(text, width)) {
      CAPTURE(width, line);
      CHECK(display_width(line) <= width);
      joined += line;
    }
    std::string without_blanks = text;
    std::erase(without_blanks, ' ');
    std::erase(joined, ' ');
    CHECK(joined == without_blanks);
  }
}

TEST_CASE("a line never begins with closing punctuation or ends with opening", "[report][text]") {
  const std::string text = "显存(HBM)、带宽,以及「时延」:都有上限。那么呢？（见表 3）；其余不计……";
  for (int width = 6; width < 30; ++width) {
    for (const std::string& line : wrap(text, width)) {
      CAPTURE(width, line);
      for (const char* never_first : {"。", "、", ",", ":", "）", ")", "」", "？", "；", "…"})
        CHECK_FALSE(line.starts_with(never_first));
      for (const char* never_last : {"(", "「", "（"}) CHECK_FALSE(line.ends_with(never_last));
    }
  }
}

TEST_CASE("Latin words stay whole beside Chinese", "[report][text]") {
  for (const std::string& line : wrap("模型DeepSeek-V3在H800上解码", 10)) {
    CAPTURE(line);
    CHECK(
        (line.find("DeepSeek-V3") != std::string::npos || line.find("Deep") == std::string::npos));
  }
}

TEST_CASE("slugs are lower-case ASCII words", "[report][text]") {
  CHECK(slug("KV cache, GB/s", '-') == "kv-cache-gb-s");
  CHECK(slug("  latency (µs) ", '_') == "latency_us");
  CHECK(slug("深度", '-').empty());
}

TEST_CASE("an exact number reads back the same", "[report][text]") {
  const double value = GENERATE(0.1, 1.0 / 3.0, 671026419200.0, 1e300, 5e-324, -0.0, 41.8123456789);
  CAPTURE(value);
  CHECK(std::strtod(exact_number(value).c_str(), nullptr) == value);
}

TEST_CASE("what is not a finite number has a name", "[report][text]") {
  CHECK(exact_number(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(exact_number(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(exact_number(std::nan("")) == "nan");
}
