#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "verify/compare.hpp"

namespace fathom::verify {

enum class CaseStatus : std::uint8_t { passed, failed, unknown_kind, unreadable };

struct CaseReport {
  std::string name;
  std::string family;  // empty: no kind of case matches
  CaseStatus status = CaseStatus::passed;
  std::string error;  // unreadable: the whole complaint
  std::vector<Comparison> comparisons;
};

/// Folders of golden cases in `directory`: itself if it holds a case.json, else those of its
/// subfolders that do, in order of their names. InputError if there are none.
std::vector<std::filesystem::path> find_cases(const std::filesystem::path& directory);

/// Replays one case with the project's kernels in float32, and in float64 where the case has
/// float64 data. A case that cannot be read is a report with its complaint, not an exception.
CaseReport verify_case(const std::filesystem::path& folder);

}  // namespace fathom::verify
