#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "program.hpp"

namespace fathom::test {
namespace {

bool installed(const std::string& tool) {
  return shell("command -v " + tool + " >/dev/null").code == 0;
}

std::set<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

std::string script_file(const TemporaryFolder& folder, const std::string& name) {
  const Run script = fathom({"completions", name});
  REQUIRE(script.code == 0);
  return folder.file("fathom." + name, script.out);
}

// What bash offers when the words stand on the command line and Tab is pressed behind the last one.
// Words are separated as readline does it: an equals sign is a word.
std::set<std::string> offered(const std::string& words) {
  const TemporaryFolder folder;
  const std::string file = script_file(folder, "bash");
  const Run run = shell("bash -c 'source " + file + "; COMP_WORDS=(\"$FATHOM\" " + words +
                        "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
                        "\"$(complete -p fathom | sed \"s/.*-F \\([^ ]*\\) .*/\\1/\")\"; "
                        "printf \"%s\\n\" \"${COMPREPLY[@]}\"'");
  CAPTURE(words, run.err);
  CHECK(run.code == 0);
  CHECK(run.err.empty());
  std::set<std::string> out = lines_of(run.out);
  out.erase("");
  return out;
}

std::set<std::string> data_names(const char* folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(source_file(folder)))
    if (entry.path().extension() == ".json") names.insert(entry.path().stem().string());
  return names;
}

}  // namespace

TEST_CASE("every shell accepts the completion script written for it", "[cli][completions]") {
  const auto* name = GENERATE("bash", "zsh", "fish");
  const TemporaryFolder folder;
  const std::string file = script_file(folder, name);
  if (!installed(name)) SUCCEED("not installed");
  if (!installed(name)) return;
  const Run check = shell(std::string(name) + " -n " + file);
  CAPTURE(name, check.err);
  CHECK(check.code == 0);
  CHECK(check.err.empty());
}

TEST_CASE("bash completes every verb, and no hidden one", "[cli][completions]") {
  if (!installed("bash")) return;
  const std::set<std::string> verbs = offered("\"\"");
  for (const char* verb : {"estimate", "plan", "sweep", "init", "doctor", "completions", "--help"})
    CHECK(verbs.contains(verb));
  CHECK(!verbs.contains("__complete"));
  CHECK(offered("esti") == std::set<std::string>{"estimate"});
}

TEST_CASE("bash completes options, choices and lists of them", "[cli][completions]") {
  if (!installed("bash")) return;
  using Words = std::set<std::string>;
  CHECK(offered("plan --format") == Words{"--format"});
  CHECK(offered("estimate --format j") == Words{"json"});
  CHECK(offered("estimate --format = ma") == Words{"markdown"});
  CHECK(offered("estimate --phase \"\"") == Words{"prefill", "decode"});
  CHECK(offered("hardware \"\"") == Words{"list", "show", "check"});
  CHECK(offered("hardware --format json sh") == Words{"show"});
  CHECK(offered("plan --two-batch-overlap true,f") == Words{"true,false"});
  CHECK(offered("measure --suite q") == Words{"quick"});
  CHECK(offered("init sw") == Words{"sweep"});
  CHECK(offered("completions \"\"") == Words{"bash", "zsh", "fish"});
}

TEST_CASE("bash completes names that the data folder has now", "[cli][completions]") {
  if (!installed("bash")) return;
  CHECK(offered("estimate --model \"\"") == data_names("models"));
  std::set<std::string> systems = data_names("hwprofiles");
  systems.insert("local");
  CHECK(offered("estimate --hardware \"\"") == systems);
  CHECK(offered("hardware show h80") == std::set<std::string>{"h800"});
  CHECK(offered("plan --hardware h200,h80") == std::set<std::string>{"h200,h800"});
  CHECK(offered("model deepseek-v3.2").contains("deepseek-v3.2"));
  CHECK(offered("report kv") == std::set<std::string>{"kv-cache"});
}

TEST_CASE("bash completes files and folders where a command takes them", "[cli][completions]") {
  if (!installed("bash")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("my-scenario.json", "{}");
  const std::string begin = folder.path().string() + "/my";
  for (const char* before : {"estimate", "sweep", "estimate -o", "plan --output ="})
    CHECK(offered(std::string(before) + " " + begin) == std::set<std::string>{file});
  CHECK(offered("demo -o " + begin).empty());
}

TEST_CASE("fish offers what bash offers", "[cli][completions]") {
  if (!installed("fish")) return;
  const TemporaryFolder folder;
  const std::string file = script_file(folder, "fish");
  const auto first_words = [&](const std::string& line) {
    const Run run = shell("fish --no-config -c 'source " + file +
                          "; function fathom; $FATHOM $argv; end; complete -C \"" + line + "\"'");
    std::set<std::string> words;
    for (const std::string& offer : lines_of(run.out))
      words.insert(offer.substr(0, offer.find('\t')));
    return words;
  };
  using Words = std::set<std::string>;
  CHECK(first_words("fathom esti") == Words{"estimate"});
  CHECK(first_words("fathom estimate --phase ") == Words{"prefill", "decode"});
  CHECK(first_words("fathom hardware sh") == Words{"show"});
  CHECK(first_words("fathom plan --hardware h200,h80") == Words{"h200,h800"});
}

TEST_CASE("an unknown shell is refused with the known ones", "[cli][completions]") {
  check_refused(fathom({"completions", "fishh"}), "did you mean 'fish'?");
  check_refused(fathom({"completions", "powershell"}), "expected bash, zsh or fish");
}

TEST_CASE("manual pages of every verb are correct roff with all of its options", "[cli][man]") {
  const TemporaryFolder folder;
  const std::string pages = (folder.path() / "man1").string();
  REQUIRE(fathom({"man", "--all", pages}).code == 0);
  const std::set<std::string> verbs = offered("\"\"");
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(pages)) {
    CAPTURE(entry.path().string());
    ++count;
    if (installed("groff")) {
      const Run groff = shell("groff -ww -man -z -Tutf8 " + entry.path().string());
      CHECK(groff.code == 0);
      CHECK(groff.err.empty());
    }
    if (installed("mandoc")) {
      // A page may refer to others that this machine has not; style is not correctness.
      const Run mandoc = shell("mandoc -Tlint -Wwarning " + entry.path().string());
      CHECK(mandoc.out.empty());
    }
  }
  // One per verb and the program's own; options are offered beside the verbs.
  const auto is_verb = [](const std::string& word) { return !word.starts_with("-"); };
  CHECK(count == static_cast<std::size_t>(std::ranges::count_if(verbs, is_verb)) + 1);
}

TEST_CASE("a manual page says what --help says", "[cli][man]") {
  if (!installed("groff")) return;
  const Run page = shell("\"$FATHOM\" man estimate | GROFF_NO_SGR=1 groff -man -Tascii | col -b");
  CAPTURE(page.err);
  REQUIRE(page.code == 0);
  for (const char* part : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS",
                           "SEE ALSO", "--sequences-per-gpu N",
                           "fathom estimate examples/deepseek-v3-h800-decode.json", "fathom(1)"}) {
    CAPTURE(part);
    CHECK(page.out.find(part) != std::string::npos);
  }
  const Run whole = shell("\"$FATHOM\" man | GROFF_NO_SGR=1 groff -man -Tascii | col -b");
  for (const char* part : {"FATHOM_DATA", "NO_COLOR", "FILES", "fathom-sweep(1)", "Interrupted"})
    CHECK(whole.out.find(part) != std::string::npos);
}

}  // namespace fathom::test
