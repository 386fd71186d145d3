#include "core/data_dir.hpp"

#include <stdlib.h>

#include <string>

#include "catch.hpp"
#include "input_error.hpp"
#include "temp_dir.hpp"

namespace fathom {
namespace {

using test::message_of;
using test::TempDir;

/// Sets $FATHOM_DATA for one test and puts the old value back.
class DataVariable {
 public:
  explicit DataVariable(const std::filesystem::path& path) {
    const char* old = ::getenv("FATHOM_DATA");
    if (old != nullptr) old_ = old;
    ::setenv("FATHOM_DATA", path.c_str(), 1);
  }
  DataVariable(const DataVariable&) = delete;
  DataVariable& operator=(const DataVariable&) = delete;
  ~DataVariable() {
    if (old_.empty()) {
      ::unsetenv("FATHOM_DATA");
    } else {
      ::setenv("FATHOM_DATA", old_.c_str(), 1);
    }
  }

 private:
  std::string old_;
};

struct Library {
  TempDir dir;
  DataVariable variable{dir.path()};
  Library() {
    dir.file("models/deepseek-v3.json", "{}");
    dir.file("models/DeepSeek-V2.json", "{}");
    dir.file("models/notes.txt", "");
    dir.file("hwprofiles/h800.json", "{}");
  }
};

TEST_CASE("$FATHOM_DATA decides where data lies", "[core][data_dir]") {
  const Library library;
  CHECK(data_dir() == library.dir.path());
}

TEST_CASE("$FATHOM_DATA without the two folders is refused", "[core][data_dir]") {
  const TempDir dir;
  const DataVariable variable{dir.path()};
  CHECK(message_of([] { data_dir(); }) ==
        "$FATHOM_DATA: " + dir.path().string() +
            " has no models/ and hwprofiles/; expected the folder that holds both");
}

TEST_CASE("names are listed sorted and without .json", "[core][data_dir]") {
  const Library library;
  CHECK(list_data_files("models") == std::vector<std::string>{"DeepSeek-V2", "deepseek-v3"});
}

TEST_CASE("a name is found whatever its case", "[core][data_dir]") {
  const Library library;
  CHECK(find_data_file("DeepSeek-V3", "models") == library.dir / "models/deepseek-v3.json");
  CHECK(find_data_file("deepseek-v2", "models") == library.dir / "models/DeepSeek-V2.json");
}

TEST_CASE("an existing path wins over a name", "[core][data_dir]") {
  const Library library;
  const auto path = library.dir.file("mine.json", "{}");
  CHECK(find_data_file(path.string(), "models") == path);
}

TEST_CASE("a name with .json that is no file here is looked up", "[core][data_dir]") {
  const Library library;
  CHECK(find_data_file("h800.json", "hwprofiles") == library.dir / "hwprofiles/h800.json");
}

TEST_CASE("a path that does not exist is not taken for a name", "[core][data_dir]") {
  const Library library;
  CHECK(message_of([] { find_data_file("./h800.json", "hwprofiles"); }) ==
        "./h800.json: no such file");
}

TEST_CASE("an unknown name is answered with the nearest", "[core][data_dir]") {
  const Library library;
  CHECK(message_of([] { find_data_file("h80", "hwprofiles"); }) ==
        "'h80' is not in hwprofiles/; did you mean 'h800'?");
  CHECK(message_of([] { find_data_file("zebra", "models"); }) ==
        "'zebra' is not in models/; expected a file or one of DeepSeek-V2, deepseek-v3");
  CHECK_THROWS_AS(find_data_file("", "models"), InputError);
}

TEST_CASE("a folder that cannot be listed is an error", "[core][data_dir]") {
  const Library library;
  CHECK_THROWS_AS(list_data_files("none"), InputError);
}

}  // namespace
}  // namespace fathom

TEST_CASE("a file of ours is shown by its name, any other by its path", "[core][data_dir]") {
  const auto ours = fathom::data_dir() / "models" / "deepseek-v3.json";
  CHECK(fathom::shown_data_file(ours, "models") == "deepseek-v3");
  CHECK(fathom::shown_data_file(ours, "hwprofiles") == ours.string());
  CHECK(fathom::shown_data_file("here/my.json", "models") == "here/my.json");
}
