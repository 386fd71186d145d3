#include <cstdlib>
#include <filesystem>
#include <map>

#include "catch.hpp"
#include "verify/page.hpp"

using namespace fathom::verify;
namespace fs = std::filesystem;

namespace {

// The set in the repository, and a larger one where $FATHOM_GOLDEN names it.
std::vector<fs::path> golden_folders() {
  std::vector<fs::path> folders{fs::path{FATHOM_SOURCE_DIR} / "tests" / "golden" / "kernels"};
  if (const char* more = std::getenv("FATHOM_GOLDEN"); more != nullptr) folders.emplace_back(more);
  const fs::path shared = fs::path{FATHOM_SOURCE_DIR}.parent_path() / "shared" / "golden";
  if (fs::is_directory(shared)) folders.push_back(shared);
  return folders;
}

std::vector<fs::path> golden_cases() {
  std::vector<fs::path> cases;
  for (const fs::path& folder : golden_folders()) {
    for (const fs::path& found : find_cases(folder)) cases.push_back(found);
  }
  return cases;
}

}  // namespace

TEST_CASE("our kernels reproduce the tensors of the original code", "[verify][golden]") {
  const auto folder = GENERATE(from_range(golden_cases()));
  CAPTURE(folder.string());
  const CaseReport report = verify_case(folder);
  CAPTURE(report.error, report.family);
  for (const Comparison& c : report.comparisons) {
    CAPTURE(c.tensor, c.f64, c.max_error, c.tolerance, c.note);
    CHECK(c.pass);
  }
  CHECK(report.status == CaseStatus::passed);
}

TEST_CASE("the set in the repository has every kind of case", "[verify][golden]") {
  std::map<std::string_view, int> found;
  for (const Family& family : families()) {
    // a megabyte of expert weights each, and both run inside the models' layers
    const bool inside_others = family.name == "moe_v3" || family.name == "moe_v4";
    if (!inside_others) found[family.name] = 0;
  }
  for (const fs::path& folder : find_cases(golden_folders().front())) {
    for (const Family& family : families()) {
      if (family.matches(GoldenCase{folder})) ++found[family.name];
    }
  }
  for (const auto& [name, cases] : found) {
    CAPTURE(name);
    CHECK(cases > 0);
  }
}

TEST_CASE("at most one kind matches a case", "[verify][golden]") {
  const auto folder = GENERATE(from_range(golden_cases()));
  CAPTURE(folder.string());
  const GoldenCase golden{folder};
  int matching = 0;
  for (const Family& family : families()) matching += family.matches(golden) ? 1 : 0;
  CHECK(matching == 1);
}

TEST_CASE("a wrong tensor fails and is named", "[verify]") {
  const fs::path folder = golden_folders().front() / "rmsnorm";
  const GoldenCase golden{folder};
  Produced<float> produced;
  auto right = golden.input<float>("x");
  const auto& first = golden.expected().front();
  for (const Expectation& e : golden.expected()) {
    produced.put(e.name, std::get<fathom::kernels::Tensor<float>>(golden.expected_array(e, false)));
  }
  for (const Comparison& c : compare(golden, produced)) CHECK(c.pass);
  produced.real[first.name][0] += 1.0F;
  const auto wrong = compare(golden, produced);
  CHECK_FALSE(wrong.front().pass);
  CHECK(wrong.front().outside == 1);
  CHECK(wrong.front().max_error == Approx(1.0));
  produced.real.erase(first.name);
  CHECK(compare(golden, produced).front().note == "no kernel produces it");
}
