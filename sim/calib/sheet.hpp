#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "calib/csv.hpp"
#include "calib/measurement.hpp"
#include "forms/expert_load.hpp"
#include "forms/form.hpp"

namespace fathom::calib {

/// What a row of any layout says, before the keys for folds and smoothing are derived from it.
struct Draft {
  std::string_view family;
  std::string group;
  std::string transfer_group;  // empty: group
  std::string labels;          // beside the group: whatever no column of the form tells
  std::vector<double> shape;   // in the order of the form's columns
  double latency_s = 0.0;
  std::string flag;  // why a reader of this layout distrusts the row
  // Keys that the form's columns cannot express; empty: by the table of the family.
  std::string slice;
  std::vector<double> exact;
  std::vector<double> axes;
};

/// Collects the rows of one file, one dataset per family, on one device.
class Sheet {
 public:
  Sheet(std::string device, std::string file, const forms::DeviceFigures& figures)
      : device_(std::move(device)), file_(std::move(file)), figures_(figures) {}

  /// Derives slice, exact, axes, roofline; flags near-zero times and repeated shapes.
  void add(const CsvRow& row, std::string_view stack, Draft draft);
  std::vector<Dataset> datasets() &&;

 private:
  struct Family {
    Dataset data;
    std::unordered_map<std::string, std::int64_t> lines;  // of shapes seen
  };
  std::string device_;
  std::string file_;
  forms::DeviceFigures figures_;
  std::map<std::string, Family, std::less<>> families_;
};

/// bf16, fp8, fp8_block … from the spelling of a table. InputError naming the nearest known format.
std::string dtype_of(const CsvRow& row, std::string_view column);

}  // namespace fathom::calib
