// Published tables are not part of this project: without them these tests say nothing.

#include <cstdlib>
#include <filesystem>

#include "calib/corpus.hpp"
#include "catch.hpp"

using namespace fathom::calib;

namespace {

std::filesystem::path measured_folder() {
  if (const char* named = std::getenv("FATHOM_MEASURED")) return named;
  return std::filesystem::path{FATHOM_SOURCE_DIR}.parent_path() / "shared" / "measured";
}

}  // namespace

TEST_CASE("left-out slices of published collectives are predicted within 6 % and 16 %",
          "[calib][measured]") {
  const std::filesystem::path folder = measured_folder();
  if (!std::filesystem::is_directory(folder)) return;
  const Corpus corpus = load_corpus(folder, {.family = "nccl"});
  const auto reports = cross_validate(corpus, {});
  for (const DatasetReport& report : reports) {
    CAPTURE(report.dataset->device);
    CHECK(report.at(Fidelity::fitted).median < 0.06);
    CHECK(report.at(Fidelity::fitted).p90 < 0.16);
    CHECK(report.at(Fidelity::measured).median < report.at(Fidelity::roofline).median);
    CHECK(report.coverage[static_cast<std::size_t>(Fidelity::fitted)] > 0.8);
  }
}
