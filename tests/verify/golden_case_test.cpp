#include "verify/golden_case.hpp"

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "core/error.hpp"
#include "verify/verify.hpp"

using namespace fathom;
using namespace fathom::verify;
namespace fs = std::filesystem;

namespace {

// A folder that disappears with the test.
struct Folder {
  fs::path path =
      fs::temp_directory_path() / fs::path{"fathom-golden-" + std::to_string(::getpid())};
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
};

// Format version 1: magic, version, length of the header, header, values.
std::string npy(const std::string& descr, const std::string& shape, const std::string& values,
                const std::string& order = "False") {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize(118, ' ');
  return std::string("\x93NUMPY\x01\x00", 8) + std::string("\x76\x00", 2) + header + values;
}

std::string bytes(std::initializer_list<float> values) {
  std::string out;
  for (const float v : values) out.append(reinterpret_cast<const char*>(&v), sizeof v);
  return out;
}

// rmsnorm of two ones: the smallest case of a known kind.
std::string rmsnorm_case(const std::string& x_file = "in.x.npy") {
  return R"({"config": {"eps": 0.0, "batch": 1, "seq": 1, "dim": 2},
    "inputs": {"x": {"file": ")" +
         x_file + R"(", "dtype": "float32", "shape": [1, 1, 2]}},
    "weights": {}, "expected": {"y": {"file": "out.y.npy", "dtype": "float32", "shape": [1, 1, 2]}}})";
}

std::string complaint(const fs::path& folder, const std::string& name = "x") {
  try {
    GoldenCase{folder}.input<float>(name);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an array is read as its header says", "[verify][npy]") {
  const Folder folder;
  folder.write("a.npy", npy("<f4", "(2, 1)", bytes({1.5F, -2.0F})));
  const Array array = read_npy(folder.path / "a.npy", "a.npy");
  CHECK(dtype_name(array) == "float32");
  CHECK(shape_of(array) == kernels::Shape{2, 1});
  CHECK(std::get<kernels::Tensor<float>>(array).data == std::vector<float>{1.5F, -2.0F});
}

TEST_CASE("a damaged array is refused with its file and its fault", "[verify][npy]") {
  const Folder folder;
  struct Fault {
    std::string content, complaint;
  };
  const auto fault =
      GENERATE(Fault{"PNG\r\n and more", "wrong magic"}, Fault{"", "wrong magic"},
               Fault{npy("<f4", "(2,)", bytes({1.0F})), "truncated"},
               Fault{npy("<f4", "(1,)", bytes({1.0F, 2.0F})), "trailing"},
               Fault{npy("<f2", "(2,)", bytes({1.0F})), "'<f2'"},
               Fault{npy(">f4", "(1,)", bytes({1.0F})), "'>f4'"},
               Fault{npy("<f4", "(1,)", bytes({1.0F}), "True"), "Fortran"},
               Fault{npy("<f4", "(-1,)", ""), "shape"},
               Fault{npy("<f4", "(4000000000, 4000000000)", ""), "elements"},
               Fault{npy("<f4", "(1,)", bytes({1.0F})).substr(0, 40), "truncated header"});
  folder.write("bad.npy", fault.content);
  CAPTURE(fault.complaint);
  CHECK_THROWS_WITH(read_npy(folder.path / "bad.npy", "case/bad.npy"),
                    contains(fault.complaint) && contains("case/bad.npy"));
}

TEST_CASE("a case must hold what it names", "[verify][case]") {
  const Folder folder;
  folder.write("case.json", rmsnorm_case());
  CHECK_THAT(complaint(folder.path), contains("in.x.npy: no such file"));
  folder.write("in.x.npy", npy("<f4", "(1, 1, 3)", bytes({1.0F, 1.0F, 1.0F})));
  CHECK_THAT(complaint(folder.path), contains("(1, 1, 3)") && contains("(1, 1, 2)"));
  folder.write("in.x.npy", npy("<f4", "(1, 1, 2)", bytes({1.0F, std::nanf("")})));
  CHECK_THAT(complaint(folder.path), contains("NaN at element 1"));
  CHECK_THAT(complaint(folder.path, "y"), contains("missing key 'y'"));
  folder.write("in.x.npy", npy("<f4", "(1, 1, 2)", bytes({1.0F, 1.0F})));
  CHECK(complaint(folder.path).empty());
}

TEST_CASE("a case cannot make us read outside of its folder", "[verify][case]") {
  const Folder folder;
  folder.write("outside.npy", npy("<f4", "(1, 1, 2)", bytes({1.0F, 1.0F})));
  const auto file = GENERATE(as<std::string>{}, "../outside.npy", "/etc/passwd", "..", "",
                             "sub/../../outside.npy");
  folder.write("inner/case.json", rmsnorm_case(file));
  CHECK_THAT(complaint(folder.path / "inner"), contains("leaves the folder of the case"));
  fs::create_symlink(folder.path / "outside.npy", folder.path / "inner" / "link.npy");
  folder.write("inner/case.json", rmsnorm_case("link.npy"));
  CHECK_THAT(complaint(folder.path / "inner"), contains("leaves the folder of the case"));
}

TEST_CASE("one bad case leaves the others their turn", "[verify]") {
  const Folder folder;
  folder.write("a/case.json", "{not json");
  folder.write("b/case.json", R"({"config": {}, "inputs": {}, "weights": {}, "expected": {}})");
  const auto folders = find_cases(folder.path);
  REQUIRE(folders.size() == 2);
  CHECK(verify_case(folders[0]).status == CaseStatus::unreadable);
  CHECK(verify_case(folders[1]).status == CaseStatus::unknown_kind);
}

TEST_CASE("a folder without cases is a mistake of the user", "[verify]") {
  const Folder folder;
  CHECK_THROWS_AS(find_cases(folder.path), InputError);
  CHECK_THROWS_AS(find_cases(folder.path / "nothing"), InputError);
}
