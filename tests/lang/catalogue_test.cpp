#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "lang/catalogue.hpp"
#include "literals.hpp"

using namespace fathom;
using test::Said;

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_below(const char* folder, const std::set<std::string>& endings) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(FATHOM_SOURCE_DIR) / folder)) {
    const bool wanted = endings.contains(entry.path().extension().string());
    if (entry.is_regular_file() && wanted) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

// Everything that the sources say, and every literal in them.
struct Sources {
  std::vector<Said> said;
  std::set<std::string> literals;
};

const Sources& sources() {
  static const Sources all = [] {
    Sources out;
    for (const fs::path& file : files_below("sim", {".cpp", ".hpp", ".js"})) {
      const bool script = file.extension() == ".js";
      const std::string text = text_of(file);
      for (Said& said : script ? test::said_in_script(text) : test::said_in_source(text)) {
        said.file = fs::relative(file, FATHOM_SOURCE_DIR).string();
        out.said.push_back(std::move(said));
      }
      if (script) continue;
      for (std::string& literal : test::literals_in_source(text)) {
        out.literals.insert(std::move(literal));
      }
    }
    return out;
  }();
  return all;
}

const std::map<std::string, lang::Entry>& catalogue() {
  static const std::map<std::string, lang::Entry> all = [] {
    std::map<std::string, lang::Entry> out;
    for (const lang::Entry& entry : lang::catalogue()) out.emplace(entry.english, entry);
    return out;
  }();
  return all;
}

void collect(const nlohmann::json& value, std::set<std::string>& out) {
  if (value.is_string()) out.insert(value.get<std::string>());
  for (const auto& part : value) {
    if (value.is_structured()) collect(part, out);
  }
}

// Texts of data files reach readers too: the statements of claims, the notes of a profile.
std::set<std::string> texts_of_data() {
  std::set<std::string> out;
  for (const char* folder : {"reports", "hwprofiles", "models", "examples"}) {
    for (const fs::path& file : files_below(folder, {".json"})) {
      const auto data = nlohmann::json::parse(text_of(file), nullptr, false);
      if (!data.is_discarded()) collect(data, out);
    }
  }
  return out;
}

std::string listed(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += "\n  " + line;
  return out;
}

}  // namespace

TEST_CASE("the scanner joins adjacent literals, decodes them and sees what is said", "[lang]") {
  const std::string source = R"x(f(50'000, '"'); // say("not this")
    /* tr("nor this") */ say("one {} "
        "two \"{}\"\n", 1); lang::tr( "three" ); mytr("four"); say(name); auto r = R"(say("five"))";)x";
  std::vector<std::string> said;
  for (const Said& one : test::said_in_source(source)) said.push_back(one.english);
  CHECK(said == std::vector<std::string>{"one {} two \"{}\"\n", "three"});
  const std::vector<std::string> literals = test::literals_in_source(source);
  CHECK(std::ranges::count(literals, "four") == 1);
  CHECK(std::ranges::count(literals, "not this") == 0);
  CHECK(test::said_in_script("x = say(\"{} of {}\", a, b) + say(\"c\");").size() == 2);
}

TEST_CASE("whatever the sources say has its entry in the catalogue", "[lang]") {
  REQUIRE(sources().said.size() > 20);
  std::vector<std::string> missing;
  for (const Said& said : sources().said) {
    if (!catalogue().contains(said.english))
      missing.push_back(fmt::format("{}: \"{}\"", said.file, said.english));
  }
  INFO("no entry in sim/lang/zh/*.json:" << listed(missing));
  CHECK(missing.empty());
}

TEST_CASE("a translation has the figures of its template, in the same form", "[lang]") {
  std::vector<std::string> wrong;
  for (const Said& said : sources().said) {
    const auto found = catalogue().find(said.english);
    if (found == catalogue().end() || !said.filled) continue;
    const lang::Entry& entry = found->second;
    if (test::fields_of(entry.english) != test::fields_of(entry.chinese))
      wrong.push_back(
          fmt::format("{}: \"{}\" is \"{}\"", entry.file, entry.english, entry.chinese));
  }
  INFO("other figures:" << listed(wrong));
  CHECK(wrong.empty());
}

// The texts of help.json are put together from footers; tests/cli holds them against the help.
TEST_CASE("every entry is a text of the sources or of the data", "[lang]") {
  const std::set<std::string> data = texts_of_data();
  std::set<std::string> said;
  for (const Said& one : sources().said) said.insert(one.english);
  std::vector<std::string> orphans;
  for (const auto& [english, entry] : catalogue()) {
    const bool known =
        said.contains(english) || sources().literals.contains(english) || data.contains(english);
    if (!known && entry.file != "zh/help.json")
      orphans.push_back(fmt::format("{}: \"{}\"", entry.file, english));
  }
  INFO("nothing says:" << listed(orphans));
  CHECK(orphans.empty());
}

TEST_CASE("fields are counted, numbered and keep their form", "[lang]") {
  using Fields = std::set<std::pair<int, std::string>>;
  CHECK(test::fields_of("{} of {:.1f}") == Fields{{0, ""}, {1, ":.1f"}});
  CHECK(test::fields_of("{1:.1f} / {0}, {0}") == Fields{{0, ""}, {1, ":.1f"}});
  CHECK(test::fields_of("{{}} {:>{}}") == Fields{{0, ":>{}"}, {1, "nested"}});
  CHECK(test::fields_of("100 %").empty());
}
