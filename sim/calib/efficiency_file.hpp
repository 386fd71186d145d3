#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "calib/calibrate.hpp"

namespace fathom::calib {

struct EfficiencyFileRequest {
  std::string name;    // of the set
  std::string source;  // the folder of measurements, as shown
};

/// InputError unless all rows are of one device.
void check_one_device(const Corpus& corpus);

/// Calibrations of one device as an efficiency file (hw/efficiency.hpp): the device's own set, with
/// the fits, and the ratios where there are any, in place of its forms. A clock and a launch gap
/// that the own set states for the same kernel carry over: a table of isolated calls cannot tell
/// them.
nlohmann::json efficiency_file(const std::vector<DatasetCalibration>& calibrations,
                               const EfficiencyFileRequest& request);

/// "family (sub-fits)" of families with a sub-fit that no operator of ours asks for.
std::vector<std::string> unasked(const std::vector<DatasetCalibration>& calibrations);

}  // namespace fathom::calib
