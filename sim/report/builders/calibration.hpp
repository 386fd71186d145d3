#pragma once

#include <vector>

#include "hw/cluster.hpp"
#include "report/document.hpp"

namespace fathom::report {

/// What the time model of each system rests on: fitted forms with their errors on shapes that were
/// left out, and shares of peaks. The first plot is the errors of the first system's fits.
Document calibration_document(const std::vector<hw::Cluster>& clusters);

}  // namespace fathom::report
