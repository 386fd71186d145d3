#include <filesystem>
#include <string>

#include "catch.hpp"
#include "core/json_io.hpp"
#include "input_error.hpp"
#include "temp_dir.hpp"

namespace fs = std::filesystem;

namespace fathom {
namespace {

using test::message_of;
using test::TempDir;

std::size_t entries_of(const fs::path& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator{folder}) ++count;
  return count;
}

TEST_CASE("a file is written whole and no temporary stays behind", "[core][write_file]") {
  const TempDir dir;
  const std::string content(300000, 'x');
  write_file(dir / "out.json", content);
  CHECK(read_text(dir / "out.json") == content);
  CHECK(entries_of(dir.path()) == 1);
}

TEST_CASE("an existing file is replaced and keeps its permissions", "[core][write_file]") {
  const TempDir dir;
  const auto path = dir.file("out.json", "a much longer old content");
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  write_file(path, "new");
  CHECK(read_text(path) == "new");
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a link stays a link and its file gets the content", "[core][write_file]") {
  const TempDir dir;
  const auto target = dir.file("real.json", "old");
  fs::create_symlink(target, dir / "link.json");
  write_file(dir / "link.json", "new");
  CHECK(fs::is_symlink(dir / "link.json"));
  CHECK(read_text(target) == "new");
}

TEST_CASE("a missing folder is named", "[core][write_file]") {
  const TempDir dir;
  const auto folder = dir / "none";
  CHECK(message_of([&] { write_file(folder / "x.json", "1"); }) ==
        (folder / "x.json").string() + ": the folder " + folder.string() +
            " does not exist; create it first");
}

TEST_CASE("a folder is not a target", "[core][write_file]") {
  const TempDir dir;
  CHECK(message_of([&] { write_file(dir.path(), "1"); }) ==
        dir.path().string() + ": is a directory; expected a file name");
}

TEST_CASE("a full device is reported", "[core][write_file]") {
  CHECK(message_of([] { write_file("/dev/full", "1"); }) ==
        "/dev/full: cannot be written: no space left on device");
}

TEST_CASE("a device is written through, not replaced", "[core][write_file]") {
  write_file("/dev/null", "1");
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("a failed write leaves no temporary", "[core][write_file]") {
  const TempDir dir;
  const auto long_name = std::string(300, 'n');
  CHECK_THROWS_AS(write_file(dir / long_name, "1"), InputError);
  CHECK(entries_of(dir.path()) == 0);
}

}  // namespace
}  // namespace fathom
