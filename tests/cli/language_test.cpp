#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "lang/catalogue.hpp"
#include "program.hpp"
#include "report/text.hpp"

namespace fathom::test {
namespace {

const std::vector<std::string>& verbs() {
  static const std::vector<std::string> all{
      "model",     "hardware",    "estimate",    "explain",   "compare",    "roofline",
      "plan",      "sweep",       "merge",       "report",    "validate",   "measure",
      "calibrate", "extrapolate", "verify",      "run-model", "experiment", "init",
      "demo",      "doctor",      "completions", "man"};
  return all;
}

std::vector<std::string> texts_of_help() {
  const Run run = fathom({"__texts"});
  REQUIRE(run.code == 0);
  return nlohmann::json::parse(run.out).get<std::vector<std::string>>();
}

// "table, json, csv", {"factor": 2} and "fp8": names, which are the same in every language.
bool only_names(const std::string& text) {
  static const std::regex kList("[^ ,]+(, [^ ,]+)*");
  return text.starts_with("{") || (std::regex_match(text, kList) && text != "Usage" &&
                                   (text[0] < 'A' || text[0] > 'Z') && text != "Devices");
}

std::string help(const std::string& verb, const std::string& language) {
  std::vector<std::string> arguments;
  if (!verb.empty()) arguments.push_back(verb);
  arguments.insert(arguments.end(), {"--help", "--lang", language});
  const Run run = fathom(arguments);
  REQUIRE(run.code == 0);
  return run.out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What is left of a line of help when names, what stands for values and commands of examples are
// gone.
std::string prose_of(const std::string& line, bool example) {
  std::string prose = line;
  if (example) {
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    prose = line.substr(std::min(line.find("  ", begin), line.size()));
  }
  return std::regex_replace(prose, std::regex("`[^`]*`"), "");
}

std::vector<std::string> english_runs(const std::string& text) {
  static const std::regex kRun("\\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\\b");
  std::vector<std::string> found;
  bool examples = false;
  for (const std::string& line : lines_of(text)) {
    if (line.empty()) examples = false;
    if (line == "示例：") examples = true;
    const std::string prose = prose_of(line, examples);
    if (std::regex_search(prose, kRun)) found.push_back(line);
  }
  return found;
}

std::string listed(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += "\n  " + line;
  return out;
}

}  // namespace

TEST_CASE("every text of the help has its Chinese", "[cli][language]") {
  std::set<std::string> known;
  for (const lang::Entry& entry : lang::catalogue()) known.insert(entry.english);
  std::vector<std::string> missing;
  for (const std::string& text : texts_of_help()) {
    if (!known.contains(text) && !only_names(text)) missing.push_back(text);
  }
  INFO("no entry in sim/lang/zh/help.json:" << listed(missing));
  CHECK(missing.empty());
}

TEST_CASE("every entry of the help's catalogue is a text of the help", "[cli][language]") {
  const std::vector<std::string> texts = texts_of_help();
  std::set<std::string> known(texts.begin(), texts.end());
  // What CLI11 and the manual pages put between the texts.
  known.insert({"Usage", "OPTIONS", "SUBCOMMAND", "Positionals", "REQUIRED", "Needs", "Excludes",
                "COMMAND", "User Commands"});
  std::vector<std::string> orphans;
  for (const lang::Entry& entry : lang::catalogue()) {
    if (entry.file == "zh/help.json" && !known.contains(entry.english))
      orphans.push_back(entry.english);
  }
  INFO("nothing in the help says:" << listed(orphans));
  CHECK(orphans.empty());
}

TEST_CASE("help in Chinese has no English prose", "[cli][language]") {
  for (const std::string& verb : verbs()) {
    CAPTURE(verb);
    const std::string text = help(verb, "zh");
    const std::vector<std::string> found = english_runs(text);
    INFO(listed(found));
    CHECK(found.empty());
    CHECK(text.find("用法:") != std::string::npos);
  }
  CHECK(english_runs(help("", "zh")).empty());
}

TEST_CASE("descriptions of the help stand in one column, whatever the script", "[cli][language]") {
  const std::string language = GENERATE("en", "zh");
  for (const char* verb : {"estimate", "compare", "report", "plan"}) {
    for (const std::string& line : lines_of(help(verb, language))) {
      if (!line.starts_with("  -")) continue;
      const std::size_t gap = line.find("  ", 2);
      // A name with one blank before its description, or with the description on the next line.
      if (gap == std::string::npos) continue;
      const std::size_t begin = line.find_first_not_of(' ', gap);
      CAPTURE(verb, line);
      CHECK(report::display_width(line.substr(0, begin)) == 30);
    }
  }
}

TEST_CASE("the language is a flag or a variable, and English is as without", "[cli][language]") {
  const std::string english = help("estimate", "en");
  CHECK(fathom({"estimate", "--help"}).out == english);
  const Run variable = shell("FATHOM_LANG=zh_CN.UTF-8 \"$FATHOM\" estimate --help");
  CHECK(variable.out == help("estimate", "zh"));
  CHECK(shell("FATHOM_LANG=zh \"$FATHOM\" estimate --help --lang en").out == english);
  const Run unknown = fathom({"doctor", "--lang", "klingon"});
  CHECK(unknown.code == 2);
  CHECK(unknown.err.find("expected en, zh") != std::string::npos);
}

TEST_CASE("examples keep their commands in every language", "[cli][language]") {
  const auto commands = [](const std::string& text) {
    std::vector<std::string> out;
    for (const std::string& line : lines_of(text)) {
      if (line.starts_with("  fathom ")) out.push_back(line.substr(0, line.find("  ", 2)));
    }
    return out;
  };
  const std::vector<std::string> english = commands(help("", "en"));
  CHECK(english.size() > 15);
  CHECK(commands(help("", "zh")) == english);
}

TEST_CASE("manual pages are written in Chinese too", "[cli][language]") {
  const Run page = fathom({"man", "estimate", "--lang", "zh"});
  REQUIRE(page.code == 0);
  CHECK(page.out.find(".SH \\[u9009]\\[u9879]") != std::string::npos);  // 选项
  CHECK(page.out.find("Leave vision") == std::string::npos);
  CHECK(page.out.find("--hardware") == std::string::npos);  // roff writes \-
  CHECK(page.out.find("\\-\\-hardware") != std::string::npos);
}

TEST_CASE("completions describe in Chinese and offer the same names", "[cli][language]") {
  const std::string shell_name = GENERATE("zsh", "fish");
  const Run english = fathom({"completions", shell_name});
  const Run chinese = fathom({"completions", shell_name, "--lang", "zh"});
  REQUIRE(chinese.code == 0);
  CHECK(chinese.out.find("一个服务场景") != std::string::npos);
  CHECK(lines_of(english.out).size() == lines_of(chinese.out).size());
  const Run bash = fathom({"completions", "bash"});
  CHECK(bash.out.find("'man --lang') _fathom_offer one 'en zh'") != std::string::npos);
  CHECK(fathom({"completions", "bash", "--lang", "zh"}).out == bash.out);
}

TEST_CASE("data have no language", "[cli][language]") {
  const std::vector<std::string> question{"hardware", "list", "--format"};
  for (const char* format : {"json", "csv"}) {
    std::vector<std::string> arguments = question;
    arguments.emplace_back(format);
    const std::string english = fathom(arguments).out;
    arguments.insert(arguments.end(), {"--lang", "zh"});
    CHECK(fathom(arguments).out == english);
  }
  const std::string scenario = source_file("examples/deepseek-v3-h800-decode.json");
  CHECK(fathom({"explain", scenario, "--stage", "cluster", "--lang", "zh"}).out ==
        fathom({"explain", scenario, "--stage", "cluster"}).out);
}

}  // namespace fathom::test
