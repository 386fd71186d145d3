#include "docs/run_page.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli/program.hpp"
#include "core/json_io.hpp"
#include "docs/page.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

// The program is on the path, and the pages quote its English.
constexpr std::string_view kReader =
    R"(PATH="$(dirname "$FATHOM"):$PATH"; export FATHOM_LANG=en; )";
constexpr std::string_view kGap = "…";
constexpr std::string_view kFile = " file=";
constexpr std::string_view kNotRun = "not run: ";
constexpr std::array<std::string_view, 5> kRunnable{"fathom", "cp", "mkdir", "cat", "sed"};

struct Line {
  std::string command;
  std::string comment;
};

// Lines that end with a backslash go on in the next one.
std::vector<Line> lines_of(const CodeBlock& block) {
  std::vector<Line> out;
  std::string open;
  for (const std::string& raw : block.lines) {
    std::string code = without_comment(raw);
    if (code.ends_with('\\')) {
      open += code.substr(0, code.size() - 1);
      continue;
    }
    code = open + code;
    open.clear();
    if (!code.empty()) out.push_back({code, comment_of(raw)});
  }
  return out;
}

int code_expected(const std::string& comment) {
  const auto at = comment.find("exit ");
  return at == std::string::npos ? 0 : std::atoi(comment.c_str() + at + 5);
}

bool complains(const std::string& errors) {
  return errors.starts_with("error: ") || errors.starts_with("infeasible: ");
}

// The repository's root as far as commands read it; what they write lies beside the links. The
// reader's own model is DeepSeek-V2-Lite, as it is published.
void furnish(const fs::path& folder) {
  for (const char* name : {"examples", "models", "hwprofiles", "reports", "tests", "docs"})
    fs::create_directory_symlink(source_file(name), folder / name);
  const std::string model = source_file("models/deepseek-v2-lite.json");
  write_file(folder / "config.json", parse_json(read_text(model), model).at("config").dump(2));
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const auto last = line.find_last_not_of(' ');
    out.push_back(line.substr(0, last == std::string::npos ? 0 : last + 1));
  }
  return out;
}

// Between gaps lines follow one another; without gaps nothing may be left over.
bool quotes(const std::vector<std::string>& quoted, const std::vector<std::string>& printed) {
  if (std::find(quoted.begin(), quoted.end(), kGap) == quoted.end()) return quoted == printed;
  auto from = printed.begin();
  bool anywhere = false;
  for (auto part = quoted.begin(); part != quoted.end();) {
    if (*part == kGap) {
      anywhere = true;
      ++part;
      continue;
    }
    const auto end = std::find(part, quoted.end(), kGap);
    const auto found = std::search(from, printed.end(), part, end);
    if (found == printed.end() || (!anywhere && found != from)) return false;
    from = found + (end - part);
    part = end;
  }
  return anywhere && (quoted.back() == kGap || from == printed.end());
}

// Replaces the lines of the numbered block in a page on disk.
void rewrite_block(const std::string& path, std::size_t number,
                   const std::vector<std::string>& lines) {
  std::istringstream in(read_text(source_file(path)));
  std::string out;
  std::size_t fences = 0;
  for (std::string line; std::getline(in, line);) {
    const bool fence = line.starts_with("```");
    fences += fence ? 1 : 0;
    if (fence || fences != 2 * number + 1) out += line + "\n";
    if (fence && fences == 2 * number + 1)
      for (const std::string& replaced : lines) out += replaced + "\n";
  }
  write_file(source_file(path), out);
}

class PageRunner {
 public:
  explicit PageRunner(std::string_view path) : page_(read_page(path)) { furnish(folder_.path()); }

  PageRun run() {
    for (std::size_t i = 0; i < page_.blocks.size(); ++i) {
      const CodeBlock& block = page_.blocks[i];
      INFO(page_.path << ":" << block.line);
      if (block.info.empty()) {
        INFO("commands belong into a block of sh");
        CHECK(std::none_of(block.lines.begin(), block.lines.end(),
                           [](const std::string& line) { return line.starts_with("fathom "); }));
      } else if (block.info == "sh" || block.info.starts_with("sh ")) {
        run_block(block);
      } else if (block.info == "text exact") {
        compare(i);
      } else if (const auto at = block.info.find(kFile); at != std::string::npos) {
        std::string text;
        for (const std::string& line : block.lines) text += line + "\n";
        folder_.file(block.info.substr(at + kFile.size()), text);
      }
    }
    return done_;
  }

 private:
  void run_block(const CodeBlock& block) {
    const bool whole_block_not_run = block.info.starts_with("sh not run: ");
    printed_.clear();
    for (const Line& line : lines_of(block)) {
      if (whole_block_not_run || line.comment.starts_with(kNotRun)) {
        ++done_.not_run;
      } else {
        run_line(line);
      }
    }
  }

  void run_line(const Line& line) {
    INFO(line.command);
    const std::string word = line.command.substr(0, line.command.find(' '));
    const bool runnable = std::find(kRunnable.begin(), kRunnable.end(), word) != kRunnable.end();
    INFO("a line is run, or its comment begins with 'not run: ' and the reason");
    REQUIRE(runnable);
    const Run run = shell(std::string(kReader) + line.command, folder_.path());
    INFO(run.err);
    const int expected = code_expected(line.comment);
    CHECK(run.code == expected);
    // a pipe ends with the code of its last command
    if (expected == 0) CHECK(!complains(run.err));
    printed_ += run.out;
    ++done_.run;
  }

  void compare(std::size_t number) {
    const std::vector<std::string> printed = split(printed_);
    const std::vector<std::string>& quoted = page_.blocks[number].lines;
    if (quotes(quoted, printed)) {
      SUCCEED("quoted as printed");
      return;
    }
    const bool whole = std::find(quoted.begin(), quoted.end(), kGap) == quoted.end();
    if (std::getenv("FATHOM_UPDATE_GOLDEN") != nullptr && whole) {
      rewrite_block(page_.path, number, printed);
      const std::string twin = chinese_twin(page_.path);
      if (fs::exists(source_file(twin))) rewrite_block(twin, number, printed);
      return;
    }
    INFO(printed_);
    FAIL_CHECK("the page quotes something else than what is printed");
  }

  Page page_;
  TemporaryFolder folder_;
  std::string printed_;
  PageRun done_;
};

}  // namespace

PageRun run_page(std::string_view path) { return PageRunner(path).run(); }

}  // namespace fathom::test
