#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "calib/calibrate.hpp"
#include "calib/transfer.hpp"
#include "report/document.hpp"

namespace fathom::calib {

/// What overall cross-validation must reach (shares), and for which fidelity.
struct Targets {
  double median = 0.0;
  double p90 = 0.0;
  bool operator==(const Targets&) const = default;
};

/// Everything `fathom validate --measured` has to say.
struct MeasuredReport {
  std::string source;    // the folder as the user named it
  std::string training;  // a second folder that was fitted; empty: cross-validation
  std::vector<DatasetReport> datasets;
  std::vector<TransferScore> transfers;
  std::vector<ExtrapolationScore> extrapolations;
  std::array<Targets, kFidelities> targets;  // zero: none
  Targets family_targets;                    // of every family, fitted and measured; zero: none
  std::vector<std::string> skipped;          // Corpus::skipped
  std::vector<Fidelity> shown{Fidelity::roofline, Fidelity::fitted, Fidelity::measured};
};

/// Which of the shown fidelities with a target miss it.
std::vector<Fidelity> missed(const MeasuredReport& report);

struct FamilyMiss {
  std::string family;
  Fidelity fidelity = Fidelity::fitted;
  Score score;
};
/// Families outside `family_targets`, by the shown fidelities that have overall targets.
std::vector<FamilyMiss> missed_families(const MeasuredReport& report);

report::Document page(const MeasuredReport& report);
nlohmann::json to_json(const MeasuredReport& report);

/// What `fathom calibrate` has to say.
struct CalibrationReport {
  std::string source;  // the folder as the user named it
  std::vector<DatasetCalibration> calibrations;
  std::vector<std::string> skipped;  // Corpus::skipped
};

/// devices → forms → family → group → parameters, with start values, residual quantiles, errors and
/// flagged rows.
nlohmann::json to_json(const CalibrationReport& report);
report::Document page(const CalibrationReport& report);

/// "3 tables are not covered by any form: a, b, …", or empty.
std::string skipped_note(const std::vector<std::string>& skipped);
/// Likewise for rows that were read and not trusted: file:line and why.
std::string flagged_note(const std::vector<std::string>& rows, std::size_t count);

}  // namespace fathom::calib
