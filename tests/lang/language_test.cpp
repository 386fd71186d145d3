#include <fmt/format.h>

#include <string>

#include "catch.hpp"
#include "lang/catalogue.hpp"
#include "lang/say.hpp"

using namespace fathom;
using lang::Language;

namespace {

// A test that speaks Chinese does so until its end.
struct InChinese {
  InChinese() { lang::speak(Language::chinese); }
  ~InChinese() { lang::speak(Language::english); }
  InChinese(const InChinese&) = delete;
  InChinese& operator=(const InChinese&) = delete;
};

}  // namespace

TEST_CASE("English is spoken until another language is chosen, and back") {
  CHECK(lang::tr("Contents") == "Contents");
  {
    const InChinese chinese;
    CHECK(lang::tr("Contents") == "目录");
    CHECK(lang::say("Data of figure {}", 3) == "图 3 的数据");
  }
  CHECK(lang::tr("Contents") == "Contents");
  CHECK(lang::say("Data of figure {}", 3) == "Data of figure 3");
}

TEST_CASE("What the catalogue does not have stays as it is") {
  const InChinese chinese;
  CHECK(lang::tr("DeepSeek-V3") == "DeepSeek-V3");
  CHECK(lang::tr("") == "");
}

TEST_CASE("Languages are named with or without region and coding") {
  CHECK(lang::language_named("zh") == Language::chinese);
  CHECK(lang::language_named("zh_CN.UTF-8") == Language::chinese);
  CHECK(lang::language_named("zh-Hans") == Language::chinese);
  CHECK(lang::language_named("en") == Language::english);
  CHECK_FALSE(lang::language_named("").has_value());
  CHECK_FALSE(lang::language_named("zhx").has_value());
}

TEST_CASE("No two entries of the catalogue share their English, and none is empty") {
  std::string last;
  for (const lang::Entry& entry : lang::catalogue()) {
    INFO(entry.english);
    CHECK(last < entry.english);
    CHECK_FALSE(entry.chinese.empty());
    last = entry.english;
  }
}
