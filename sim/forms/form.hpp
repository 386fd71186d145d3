#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fathom::forms {

/// What a form needs to know of a device: data-sheet figures in SI units (dense peaks, bandwidth of
/// one direction per GPU).
struct DeviceFigures {
  double sm_count = 0.0;
  double memory_bandwidth = 0.0;  // B/s
  double peak_bf16 = 0.0;         // FLOP/s
  double peak_fp8 = 0.0;
  double peak_fp4 = 0.0;
  double scale_up = 0.0;   // B/s, NVLink
  double scale_out = 0.0;  // B/s, NIC
  bool operator==(const DeviceFigures&) const = default;
};

/// A parameter of a form: positive, searched between `low` and `high` from `start`. A fixed one has
/// low = high = start.
struct ParamRange {
  std::string_view name;
  double start = 0.0;
  double low = 0.0;
  double high = 0.0;
};

/// The time of one kernel family as a function of a shape, of a device's data sheet and of a few
/// physical parameters. `columns` names the shape's numbers in order.
struct Form {
  std::string_view family;
  std::span<const std::string_view> columns;
  /// Parameters of a sub-fit (`group`: dtype and kernel, as "fp8_block").
  std::vector<ParamRange> (*ranges)(std::string_view group);
  /// Seconds; `params` in the order of ranges(group).
  double (*seconds)(std::string_view group, std::span<const double> params,
                    std::span<const double> shape, const DeviceFigures& device);
};

/// Every family, by name.
std::span<const Form> all_forms();
const Form& form_of(std::string_view family);  ///< BugError for an unknown family

}  // namespace fathom::forms
