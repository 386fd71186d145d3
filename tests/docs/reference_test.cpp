#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "cli/program.hpp"
#include "core/json_io.hpp"
#include "docs/page.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

const std::string kReference = "docs/reference.md";

// Commands as --help lists them: two blanks, the name, more blanks.
std::set<std::string> commands() {
  std::set<std::string> out;
  std::istringstream help(fathom({"--help"}).out);
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (line == "Examples:") break;
    if (line == "One question:") listed = true;
    if (!listed || !line.starts_with("  ") || line.starts_with("   ")) continue;
    out.insert(line.substr(2, line.find(' ', 2) - 2));
  }
  return out;
}

// Names that the program asks the environment for, by the way its sources write that.
std::set<std::string> variables() {
  std::set<std::string> out;
  const std::regex asked(R"((?:getenv|variable)\("([A-Z_]+)\"\))");
  for (const auto& entry : fs::recursive_directory_iterator(source_file("sim"))) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = read_text(entry.path());
    if (text.find("getenv(") == std::string::npos) continue;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), asked);
         it != std::sregex_iterator(); ++it)
      out.insert((*it)[1].str());
  }
  return out;
}

void check_named(const std::set<std::string>& words, const std::string& before) {
  CHECK(!words.empty());
  for (const std::string& page : {kReference, chinese_twin(kReference)}) {
    const std::string text = read_text(source_file(page));
    for (const std::string& word : words) {
      CAPTURE(page, word);
      CHECK(text.find(before + word + "`") != std::string::npos);
    }
  }
}

std::set<std::string> stems(const char* folder) {
  std::set<std::string> out;
  for (const auto& entry : fs::directory_iterator(source_file(folder)))
    if (entry.path().extension() == ".json") out.insert(entry.path().stem().string());
  return out;
}

}  // namespace

TEST_CASE("the reference names every command of the program", "[docs]") {
  check_named(commands(), "`fathom ");
}

TEST_CASE("the reference names every environment variable that the program reads", "[docs]") {
  check_named(variables(), "`");
}

TEST_CASE("the reference names every report", "[docs]") { check_named(stems("reports"), "`"); }

TEST_CASE("the reference names every example", "[docs]") {
  std::set<std::string> files;
  for (const std::string& stem : stems("examples")) files.insert(stem + ".json");
  check_named(files, "`");
}

TEST_CASE("the reference links every schema", "[docs]") {
  for (const std::string& path : {kReference, chinese_twin(kReference)}) {
    const Page page = read_page(path);
    for (const std::string& name : stems("docs/schema")) {
      CAPTURE(path, name);
      CHECK(std::any_of(page.links.begin(), page.links.end(), [&](const PageLink& link) {
        return link.target.ends_with("schema/" + name + ".json");
      }));
    }
  }
}

TEST_CASE("the reference states every exit code that --help states", "[docs]") {
  const std::string help = fathom({"--help"}).out;
  for (const std::string code : {"0", "1", "2", "3", "4", "130"}) {
    CAPTURE(code);
    CHECK(help.find(code + " ") != std::string::npos);
    for (const std::string& page : {kReference, chinese_twin(kReference)})
      CHECK(read_text(source_file(page)).find("| " + code + " |") != std::string::npos);
  }
}

}  // namespace fathom::test
