#include "verify/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <system_error>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace fathom::verify {
namespace {

template <class T>
void replay(const GoldenCase& golden, void (*run)(const GoldenCase&, Produced<T>&),
            std::vector<Comparison>& out) {
  Produced<T> produced;
  run(golden, produced);
  std::ranges::move(compare(golden, produced), std::back_inserter(out));
}

void replay_case(const GoldenCase& golden, CaseReport& report) {
  const auto family = std::ranges::find_if(
      families(), [&](const Family& candidate) { return candidate.matches(golden); });
  if (family == families().end()) {
    report.status = CaseStatus::unknown_kind;
    return;
  }
  report.family = family->name;
  replay<float>(golden, family->run_f32, report.comparisons);
  const bool has_f64 = std::ranges::any_of(
      golden.expected(), [](const Expectation& e) { return !e.file_f64.empty(); });
  if (has_f64) replay<double>(golden, family->run_f64, report.comparisons);
  const bool passed = std::ranges::all_of(report.comparisons, &Comparison::pass);
  report.status = passed ? CaseStatus::passed : CaseStatus::failed;
}

}  // namespace

std::vector<std::filesystem::path> find_cases(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  const std::string shown = printable(directory.string(), 200);
  std::error_code error;
  if (!fs::is_directory(directory, error)) throw InputError(shown + ": no such folder");
  if (fs::exists(directory / "case.json", error)) return {directory};
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_directory(error) && fs::exists(entry.path() / "case.json", error)) {
      folders.push_back(entry.path());
    }
  }
  if (error) throw InputError(fmt::format("{}: cannot be listed", shown));
  if (folders.empty()) {
    throw InputError(shown + ": no golden case; expected folders with a case.json");
  }
  std::ranges::sort(folders);
  return folders;
}

CaseReport verify_case(const std::filesystem::path& folder) {
  CaseReport report{.name = case_name(folder)};
  try {
    replay_case(GoldenCase{folder}, report);
  } catch (const InputError& error) {
    report.status = CaseStatus::unreadable;
    report.error = error.what();
  } catch (const std::exception& error) {
    // Shapes in the case that contradict each other stop a kernel; the other cases still run.
    report.status = CaseStatus::unreadable;
    report.error =
        fmt::format("{}: cannot be replayed ({})", report.name, printable(error.what(), 300));
  }
  return report;
}

}  // namespace fathom::verify
