#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Arguments = std::vector<std::string>;

Arguments over_example(const std::string& verb, const std::string& example) {
  return {verb, source_file("examples/" + example + ".json")};
}

// Every report by name, and every verb that answers with a document and takes no measurement of its
// own: those would never say the same twice.
std::vector<Arguments> documents() {
  std::vector<Arguments> out;
  for (const char* name : {"capacity", "compare-attention", "compare-hardware", "kv-cache", "moe",
                           "mtp", "roofline", "validation", "calibration", "claims"}) {
    out.push_back({"report", name});
  }
  for (const char* name :
       {"deepseek-v3-h800-decode", "deepseek-v3-h800-prefill", "deepseek-v3.2-h200-decode",
        "deepseek-v4-flash-b200-decode", "llama-3.1-70b-h100-tp8", "qwen3-235b-h200-decode",
        "deepseek-day6-decode", "deepseek-day6-prefill", "isca25-tpot-limit-ib"}) {
    out.push_back(over_example("estimate", name));
  }
  for (const char* name : {"plan-deepseek-v3-mtp", "plan-llama-3.1-70b-trace"}) {
    out.push_back(over_example("plan", name));
  }
  Arguments studies = over_example("plan", "plan-deepseek-v3-lengths");
  studies.insert(studies.end(), {"--odds", "--sensitivity"});
  out.push_back(studies);
  Arguments unmet = over_example("plan", "plan-deepseek-v3");
  unmet.insert(unmet.end(), {"--tpot-ms", "1"});
  out.push_back(unmet);
  Arguments two = over_example("plan", "plan-deepseek-v3");
  two.insert(two.end(), {"--against", source_file("examples/plan-deepseek-v3-mtp.json")});
  out.push_back(two);
  const Arguments experiment{"experiment", "balance"};
  const Arguments executed{"run-model", "--config", source_file("examples/tiny-deepseek-v3.2.json"),
                           "--new-tokens", "8"};
  for (const Arguments& more :
       {Arguments{"compare", "--models", "deepseek-v3.2,llama-3.1-70b"},
        over_example("roofline", "deepseek-v3-h800-prefill"), Arguments{"model", "deepseek-v3"},
        Arguments{"model", "kimi-k2"}, Arguments{"model", "--list"}, Arguments{"hardware", "list"},
        Arguments{"hardware", "check"}, Arguments{"hardware", "show", "b200"},
        Arguments{"verify", source_file("tests/golden/kernels")}, experiment,
        Arguments{"experiment", "fp8"}, executed}) {
    out.push_back(more);
  }
  return out;
}

std::string rendered(Arguments arguments, const std::string& language) {
  arguments.insert(arguments.end(), {"--format", "markdown", "--lang", language});
  const Run run = fathom(arguments);
  CAPTURE(run.err);
  REQUIRE((run.code == 0 || run.code == 3 || run.code == 4));
  return run.out;
}

// Citations: they name a source as it names itself.
void collect_sources(const json& value, bool citing, std::set<std::string>& out) {
  if (citing && value.is_string()) out.insert(value.get<std::string>());
  if (value.is_array()) {
    for (const json& part : value) collect_sources(part, citing, out);
  }
  if (!value.is_object()) return;
  for (const auto& item : value.items()) {
    collect_sources(item.value(), citing || item.key() == "sources" || item.key() == "source", out);
  }
}

const std::set<std::string>& citations() {
  static const std::set<std::string> all = [] {
    std::set<std::string> out;
    for (const char* folder : {"models", "hwprofiles", "reports"}) {
      for (const auto& entry : fs::recursive_directory_iterator(source_file(folder))) {
        if (entry.path().extension() != ".json") continue;
        collect_sources(parse_json(read_text(entry.path().string()), entry.path().string()), false,
                        out);
      }
    }
    return out;
  }();
  return all;
}

// Of a document in Markdown, what a reader reads as prose: no code, no citations, no commands.
std::vector<std::string> prose(const std::string& document) {
  static const std::regex kCode("`[^`]*`");
  std::vector<std::string> lines;
  bool code = false;
  std::istringstream in(document);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) code = !code;
    if (code || line.starts_with("```")) continue;
    line = std::regex_replace(line, kCode, "");
    for (const std::string& citation : citations()) {
      if (citation.size() < 12) continue;  // a short one could hide prose
      const std::size_t at = line.find(citation);
      if (at != std::string::npos) line.erase(at, citation.size());
    }
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> english_runs(const std::string& document) {
  static const std::regex kRun("\\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\\b");
  std::vector<std::string> found;
  for (const std::string& line : prose(document)) {
    if (std::regex_search(line, kRun)) found.push_back(line);
  }
  return found;
}

// Every number of the document, in ascending order: a translation puts them in another one.
std::vector<std::string> numbers(const std::string& document) {
  static const std::regex kNumber("[0-9]+");
  std::vector<std::string> found;
  for (const std::string& line : prose(document)) {
    for (auto at = std::sregex_iterator(line.begin(), line.end(), kNumber);
         at != std::sregex_iterator(); ++at) {
      found.push_back(at->str());
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> not_in_both(const std::vector<std::string>& a,
                                     const std::vector<std::string>& b) {
  std::vector<std::string> out;
  std::ranges::set_symmetric_difference(a, b, std::back_inserter(out));
  return out;
}

std::string listed(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += "\n  " + line;
  return out;
}

std::string spoken(const Arguments& arguments) {
  std::string out = "fathom";
  for (const std::string& argument : arguments) out += " " + argument;
  return out;
}

}  // namespace

TEST_CASE("documents in Chinese have no English prose and the numbers of the English ones",
          "[cli][language]") {
  for (const Arguments& arguments : documents()) {
    CAPTURE(spoken(arguments));
    const std::string chinese = rendered(arguments, "zh");
    const std::vector<std::string> runs = english_runs(chinese);
    INFO("English left:" << listed(runs));
    CHECK(runs.empty());
    const std::string english = rendered(arguments, "en");
    CHECK(english != chinese);
    const std::vector<std::string> others = not_in_both(numbers(english), numbers(chinese));
    INFO("Numbers of one language alone:" << listed(others));
    CHECK(others.empty());
  }
}

TEST_CASE("the demo's report has the language asked for", "[cli][language]") {
  const TemporaryFolder folder;
  const std::string out = (folder.path() / "out").string();
  REQUIRE(fathom({"demo", "--lang", "zh", "--output", out}).code == 0);
  const std::vector<std::string> runs = english_runs(read_text(out + "/capacity-deepseek-v3.md"));
  INFO("English left:" << listed(runs));
  CHECK(runs.empty());
}

TEST_CASE("a document in English says the same whether or not English was asked for",
          "[cli][language]") {
  const Arguments arguments = over_example("estimate", "deepseek-v3-h800-decode");
  const auto first_line = [](const std::string& text) { return text.substr(0, text.find("```")); };
  Arguments plain = arguments;
  plain.insert(plain.end(), {"--format", "markdown"});
  CHECK(first_line(fathom(plain).out) == first_line(rendered(arguments, "en")));
}

TEST_CASE("answers in JSON have no language", "[cli][language]") {
  for (const Arguments& arguments : {over_example("estimate", "deepseek-v3.2-h200-decode"),
                                     over_example("plan", "plan-llama-3.1-70b-trace")}) {
    CAPTURE(spoken(arguments));
    Arguments english = arguments;
    english.insert(english.end(), {"--format", "json"});
    Arguments chinese = english;
    chinese.insert(chinese.end(), {"--lang", "zh"});
    CHECK(fathom(chinese).out == fathom(english).out);
  }
}

TEST_CASE("a sweep's database has no language, its report has", "[cli][language]") {
  const TemporaryFolder folder;
  const std::string spec = source_file("examples/sweep-decode.json");
  const std::string chinese = (folder.path() / "zh.db").string();
  const std::string english = (folder.path() / "en.db").string();
  REQUIRE(fathom({"sweep", spec, "-o", chinese, "--lang", "zh"}).code == 0);
  REQUIRE(fathom({"sweep", spec, "-o", english}).code == 0);
  CHECK(read_text(chinese) == read_text(english));
  const std::string report = rendered({"report", chinese}, "zh");
  // Why points cannot run is stored in English and stays as it is stored.
  std::vector<std::string> runs = english_runs(report);
  std::erase_if(runs, [](const std::string& line) { return line.starts_with("| KV cache #"); });
  INFO(listed(runs));
  CHECK(runs.empty());
}

}  // namespace fathom::test
