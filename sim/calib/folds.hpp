#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "calib/measurement.hpp"

namespace fathom::calib {

/// Which fold a slice is in. Whole slices go to one fold, and the same slice of every device to the
/// same one: otherwise a neighbouring device would give the answer away.
using SliceFolds = std::map<std::string, int, std::less<>>;

/// Slices of all the datasets (one family), spread evenly over the folds in an order that a hash of
/// their names decides.
SliceFolds slice_folds(std::span<const Dataset* const> datasets, int folds);

/// Rows of one family in every dataset, by family name.
std::map<std::string, std::vector<const Dataset*>, std::less<>> by_family(
    std::span<const Dataset> datasets);

}  // namespace fathom::calib
