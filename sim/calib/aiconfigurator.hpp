#pragma once

#include <string_view>

#include "calib/csv.hpp"
#include "calib/sheet.hpp"
#include "forms/expert_load.hpp"

namespace fathom::calib {

/// Reader of one row of one of aiconfigurator's tables.
using TableReader = void (*)(const CsvRow& row, forms::ExpertLoads& loads, Sheet& sheet);

/// By the name of the file without .csv ("gemm"); nullptr for a table that no form covers.
TableReader aiconfigurator_table(std::string_view stem);

}  // namespace fathom::calib
