#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calib/measurement.hpp"

namespace fathom::calib {

struct Import {
  std::vector<Dataset> datasets;     // by family, device, stack
  std::vector<std::string> skipped;  // "vidur/…/mlp.csv: no form covers this table"
};

/// Every .csv file below `dir` (or the one file): DEVICE/FAMILY.csv of aiconfigurator, InferSim's
/// bench_data, or a generic table, each recognised by its place and header. InputError for bad rows
/// (file:line:column) and when nothing is recognised. Rows that cannot be trusted are flagged.
Import import_tables(const std::filesystem::path& dir);
std::vector<Dataset> import_directory(const std::filesystem::path& dir);

}  // namespace fathom::calib
