#pragma once

#include "calib/local_profile.hpp"
#include "report/document.hpp"

namespace fathom::calib {

/// Families with their parameters and errors, predicted against measured, and what to mind.
report::Document local_page(const LocalCalibration& calibration);

}  // namespace fathom::calib
