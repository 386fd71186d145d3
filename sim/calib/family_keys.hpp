#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "calib/measurement.hpp"

namespace fathom::calib {

/// Fills slice, labels, exact and axes from the form's columns, whichever are still empty.
void derive_keys(std::string_view family, Measurement& row);

}  // namespace fathom::calib
