#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

/// What one run of the built program left behind.
struct Run {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs the program with these arguments in a shell-free way of quoting, from `folder` (empty:
/// where the tests run), with FATHOM_DATA at the source tree.
Run fathom(const std::vector<std::string>& arguments, const std::filesystem::path& folder = {});
/// The same for a whole shell command in which $FATHOM is the program.
Run shell(const std::string& command, const std::filesystem::path& folder = {});

/// A folder that is gone when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  /// Writes a file into it and returns its path.
  std::string file(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// Path of a file of the repository.
std::string source_file(std::string_view relative);

/// One complaint on stderr, nothing on stdout, exit code 2.
void check_refused(const Run& run, std::string_view pointer);

}  // namespace fathom::test
