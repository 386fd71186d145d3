#include "program.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "catch.hpp"
#include "core/json_io.hpp"

namespace fs = std::filesystem;

namespace fathom::test {
namespace {

std::string shell_word(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace

Run shell(const std::string& command, const fs::path& folder) {
  const TemporaryFolder scratch;
  const fs::path errors = scratch.path() / "stderr";
  const std::string line =
      fmt::format("{}FATHOM_DATA={} FATHOM={} sh -c {} 2>{}",
                  folder.empty() ? "" : "cd " + shell_word(folder.string()) + " && ",
                  shell_word(FATHOM_SOURCE_DIR), shell_word(FATHOM_PROGRAM), shell_word(command),
                  shell_word(errors.string()));
  std::FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen");
  Run run;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    run.out.append(buffer, n);
  }
  const int status = ::pclose(pipe);
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  run.err = read_text(errors);
  return run;
}

Run fathom(const std::vector<std::string>& arguments, const fs::path& folder) {
  std::string command = "\"$FATHOM\"";
  for (const std::string& argument : arguments) command += " " + shell_word(argument);
  return shell(command, folder);
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "fathom-cli-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::file(std::string_view name, std::string_view content) const {
  const fs::path path = path_ / name;
  write_file(path, content);
  return path.string();
}

std::string source_file(std::string_view relative) {
  return (fs::path(FATHOM_SOURCE_DIR) / relative).string();
}

void check_refused(const Run& run, std::string_view pointer) {
  CAPTURE(run.err, run.code);
  CHECK(run.code == 2);
  CHECK(run.out.empty());
  CHECK(std::count(run.err.begin(), run.err.end(), '\n') == 1);
  CHECK(run.err.ends_with("\n"));
  CHECK(run.err.starts_with("error: "));
  CHECK(run.err.find(pointer) != std::string::npos);
}

}  // namespace fathom::test
