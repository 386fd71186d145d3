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
  std::vector<Fidelity> shown{Fidelity::roofline, Fidelity::fitted, Fidelity::measured};
};

/// Which of the shown fidelities with a target miss it.
std::vector<Fidelity> missed(const MeasuredReport& report);

report::Document page(const MeasuredReport& report);
nlohmann::json to_json(const MeasuredReport& report);

/// The file `fathom calibrate` writes: devices → forms → family → group → parameters, with start
/// values, residual quantiles, errors and flagged rows.
nlohmann::json to_json(const std::vector<DatasetCalibration>& calibrations,
                       const std::string& source);
report::Document page(const std::vector<DatasetCalibration>& calibrations,
                      const std::string& source);

}  // namespace fathom::calib
