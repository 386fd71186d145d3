#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "program.hpp"

using nlohmann::json;

namespace fathom::test {
namespace {

json findings_of(const Run& run) {
  json out = json::object();
  const json document = parse_json(run.out, "stdout");
  for (const json& finding : document.at("findings"))
    out[finding.at("what").get<std::string>()] = finding;
  return out;
}

bool has_terminals() { return shell("command -v script >/dev/null").code == 0; }

// The command in a terminal of so many columns.
Run in_terminal(int columns, const std::string& command) {
  return shell("script -qec 'stty cols " + std::to_string(columns) + "; " + command +
               "' /dev/null </dev/null");
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::size_t length = 0;
  for (const char c : text) {
    const bool first_byte = (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    length = c == '\n' || c == '\r' ? 0 : length + (first_byte ? 1 : 0);
    longest = std::max(longest, length);
  }
  return longest;
}

}  // namespace

TEST_CASE("a starter runs as it is written", "[cli][init]") {
  const TemporaryFolder folder;
  const std::vector<std::string> setting =
      GENERATE(std::vector<std::string>{},
               std::vector<std::string>{"--model", "llama-3.1-70b", "--hardware", "h100-sxm"},
               std::vector<std::string>{"--model", "qwen3-235b-a22b", "--hardware", "b200"});
  const auto init = [&](std::vector<std::string> words) {
    words.insert(words.end(), setting.begin(), setting.end());
    const Run run = fathom(words, folder.path());
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
  };
  init({"init"});
  init({"init", "plan", "-o", "mine.json"});
  init({"init", "sweep"});
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"estimate", "scenario.json"},
        {"plan", "mine.json"},
        {"sweep", "sweep.json", "--dry-run"},
        {"sweep", "sweep.json", "-o", "rows.db"}}) {
    const Run run = fathom(words, folder.path());
    CAPTURE(words, run.err);
    CHECK(run.code == 0);
    CHECK(!run.out.empty());
  }
}

TEST_CASE("a starter explains itself and names a schema that exists", "[cli][init]") {
  const std::string kind = GENERATE("scenario", "plan", "sweep");
  const Run run = fathom({"init", kind, "-o", "-"});
  REQUIRE(run.code == 0);
  const json document = parse_json(run.out, "stdout");
  CHECK(document.at("comment").size() > 2);
  const std::string schema = document.at("$schema");
  REQUIRE(schema.starts_with("file:///"));
  CHECK(read_json(schema.substr(7)).contains("properties"));
  CHECK(run.out.starts_with("{\n  \"$schema\""));
}

TEST_CASE("a starter never overwrites a file unless told to", "[cli][init]") {
  const TemporaryFolder folder;
  const std::string file = folder.file("mine.json", "precious");
  check_refused(fathom({"init", "-o", file}), "exists already");
  CHECK(read_text(file) == "precious");
  CHECK(fathom({"init", "-o", file, "--force"}).code == 0);
  CHECK(read_json(file).contains("model"));
}

TEST_CASE("a starter that cannot be is refused with a way out", "[cli][init]") {
  check_refused(fathom({"init", "scenari", "-o", "-"}), "did you mean 'scenario'?");
  check_refused(fathom({"init", "--model", "deepseek-v4", "-o", "-"}), "deepseek-v4");
  check_refused(fathom({"init", "--hardware", "rtx-4090", "-o", "-"}), "fathom hardware list");
}

TEST_CASE("the doctor looks at everything and finds nothing essential missing", "[cli][doctor]") {
  const Run run = fathom({"doctor", "--format", "json"});
  REQUIRE(run.code == 0);
  const json findings = findings_of(run);
  for (const char* what : {"program", "data folder", "database", "processor", "instruction sets",
                           "cores", "memory", "huge pages", "GPU", "calibration", "locale"}) {
    CAPTURE(what);
    REQUIRE(findings.contains(what));
    CHECK(findings.at(what).at("verdict") != "problem");
  }
  for (const json& finding : findings) {
    CAPTURE(finding.dump());
    CHECK((finding.at("verdict") == "ok") == finding.at("advice").get<std::string>().empty());
  }
}

TEST_CASE("the doctor names a missing data folder a problem and says what to do", "[cli][doctor]") {
  const Run run = shell("FATHOM_DATA=/nowhere \"$FATHOM\" doctor --format json");
  CHECK(run.code == 4);
  const json finding = findings_of(run).at("data folder");
  CHECK(finding.at("verdict") == "problem");
  CHECK(finding.at("advice").get<std::string>().find("FATHOM_DATA") != std::string::npos);
}

TEST_CASE("the doctor tells a calibration of another machine from a missing one", "[cli][doctor]") {
  const TemporaryFolder folder;
  const auto verdict_on = [](const std::string& file) {
    return findings_of(shell("FATHOM_LOCAL=" + file + " \"$FATHOM\" doctor --format json"))
        .at("calibration");
  };
  const json missing = verdict_on((folder.path() / "none.json").string());
  CHECK(missing.at("found").get<std::string>().starts_with("none at "));
  json profile = read_json(source_file("hwprofiles/xeon-8480p.json"));
  profile["machine"] = {{"fingerprint", "0000000000000000"}, {"model", "another processor"}};
  const json foreign = verdict_on(folder.file("local.json", profile.dump()));
  CHECK(foreign.at("verdict") == "note");
  CHECK(foreign.at("found").get<std::string>().find("another processor") != std::string::npos);
}

TEST_CASE("md is markdown for every command that has it", "[cli]") {
  const auto without_command = [](const std::string& text) {
    return text.substr(0, text.find("--format"));
  };
  const Run in_full = fathom({"model", "deepseek-v3", "--format", "markdown"});
  const Run in_short = fathom({"model", "deepseek-v3", "--format", "md"});
  REQUIRE(in_short.code == 0);
  CHECK(without_command(in_short.out) == without_command(in_full.out));
}

TEST_CASE("--help groups the commands", "[cli]") {
  const std::string help = fathom({"--help"}).out;
  std::size_t at = 0;
  for (const char* line :
       {"\nOne question:\n", "\n  estimate ", "\nMany answers:\n", "\n  sweep ", "\nEvidence:\n",
        "\n  validate ", "\nThe tool itself:\n", "\n  doctor "}) {
    CAPTURE(line);
    const std::size_t found = help.find(line, at);
    REQUIRE(found != std::string::npos);
    at = found;
  }
  CHECK(help.find("__complete") == std::string::npos);
}

TEST_CASE("a table fits its terminal and loses no column", "[cli][terminal]") {
  if (!has_terminals()) return;
  // What follows names version and command, however long they are.
  const auto tables_of = [](const Run& run) {
    return run.out.substr(0, run.out.find("fathom 0."));
  };
  const std::string piped = tables_of(fathom({"hardware", "list"}));
  const std::size_t whole = longest_line(piped);
  REQUIRE(whole > 100);
  const std::string command = "NO_COLOR=1 \"$FATHOM\" hardware list";
  const std::string wide = tables_of(in_terminal(static_cast<int>(whole), command));
  CHECK(longest_line(wide) == whole);
  CHECK(wide.find("(1 of ") == std::string::npos);
  const std::string narrow = tables_of(in_terminal(64, command));
  CAPTURE(narrow);
  CHECK(longest_line(narrow) <= 64);
  CHECK(narrow.find("(1 of ") != std::string::npos);
  for (const char* column : {"status", "memory GiB", "BF16 TFLOP/s", "scale-out GB/s"}) {
    CAPTURE(column);
    CHECK(piped.find(column) != std::string::npos);
    CHECK(narrow.find(column) != std::string::npos);
  }
}

TEST_CASE("colour is for terminals that want it", "[cli][terminal]") {
  const std::string command = "\"$FATHOM\" hardware list";
  CHECK(shell(command).out.find('\x1b') == std::string::npos);
  if (!has_terminals()) return;
  CHECK(in_terminal(200, "TERM=xterm NO_COLOR= " + command).out.find("\x1b[1m") !=
        std::string::npos);
  CHECK(in_terminal(200, "TERM=xterm NO_COLOR=1 " + command).out.find('\x1b') == std::string::npos);
  CHECK(in_terminal(200, "TERM=dumb NO_COLOR= " + command).out.find('\x1b') == std::string::npos);
}

}  // namespace fathom::test
