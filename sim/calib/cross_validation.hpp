#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "calib/fit.hpp"
#include "calib/measurement.hpp"
#include "calib/score.hpp"
#include "forms/form.hpp"

namespace fathom::calib {

enum class Fidelity : std::uint8_t { roofline, fitted, measured };
inline constexpr std::size_t kFidelities = 3;
std::string_view name(Fidelity fidelity);

/// Measured tables and the data sheets of the devices they name.
struct Corpus {
  std::vector<Dataset> datasets;
  std::map<std::string, forms::DeviceFigures, std::less<>> devices;
  std::vector<std::string> skipped;  // "file: why" of tables that no form covers
};

struct ValidationOptions {
  int folds = 5;
  FitOptions fit;
  int threads = 0;
  /// Told the share done, from any thread.
  std::function<void(double)> progress;
};

/// One row predicted by what was fitted without its slice.
struct Predicted {
  const Measurement* row = nullptr;
  int fold = 0;
  std::array<double, kFidelities> seconds{};  // by Fidelity
};

struct GroupScore {
  std::string group;
  std::array<Score, kFidelities> scores;
};

/// Cross-validated errors of one family on one device and stack.
struct DatasetReport {
  const Dataset* dataset = nullptr;
  std::int64_t flagged = 0;  // rows that the importer refused
  std::int64_t spikes =
      0;  // rows found isolated in at least one fold; they are scored all the same
  std::array<Score, kFidelities> scores;
  std::array<double, kFidelities> coverage{};  // share of rows inside their 90 % band
  std::vector<GroupScore> groups;
  std::vector<Predicted> rows;
  const Score& at(Fidelity f) const { return scores.at(static_cast<std::size_t>(f)); }
};

/// Leave-slice-out: each fold's slices predicted from the others, on every device. The reports
/// point into `corpus`.
std::vector<DatasetReport> cross_validate(const Corpus& corpus, const ValidationOptions& options);

/// Rows of `corpus` predicted from all of `training`: same family, device and sub-fit.
std::vector<DatasetReport> validate_against(const Corpus& training, const Corpus& corpus,
                                            const ValidationOptions& options);

/// Medians over family-device pairs, and the family that does worst.
struct Overall {
  std::int64_t pairs = 0;
  double median = 0.0;
  double p90 = 0.0;
  std::string worst_family;
  double worst_median = 0.0;  // of a family, all its devices together
  double worst_p90 = 0.0;
};
Overall overall(const std::vector<DatasetReport>& reports, Fidelity fidelity);

/// Scores of one family, the rows of all its devices together.
Score family_score(const std::vector<DatasetReport>& reports, std::string_view family,
                   Fidelity fidelity);

}  // namespace fathom::calib
