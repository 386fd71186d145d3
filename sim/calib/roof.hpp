#pragma once

#include <span>
#include <string_view>

#include "forms/form.hpp"

namespace fathom::calib {

/// The slower of arithmetic and traffic at usual shares of the data sheet, without launch costs:
/// what a simulator without measurements says. `shape` in the order of the form's columns.
double roof_seconds(std::string_view family, std::string_view group, std::span<const double> shape,
                    const forms::DeviceFigures& device);

}  // namespace fathom::calib
