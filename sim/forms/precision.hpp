#pragma once

#include <optional>
#include <string_view>

#include "forms/form.hpp"

namespace fathom::forms {

/// What a kernel's number formats cost: bytes per element with their block scales, and the peak
/// that its products run at.
struct Precision {
  double activation_bytes = 2.0;
  double weight_bytes = 2.0;
  double DeviceFigures::*peak = &DeviceFigures::peak_bf16;
};

/// By the name of the format: bf16, fp8, fp8_block, nvfp4, int4_wo, w4a8_mxfp4_mxfp8. Empty for an
/// unknown one.
std::optional<Precision> find_precision(std::string_view dtype);
/// The first label of a group ("fp8_block/cutlass"). BugError for an unknown one.
Precision precision_of(std::string_view group);

/// The first label of a group, up to the first slash.
std::string_view first_label(std::string_view group);
/// Whether the group has the label, between slashes.
bool has_label(std::string_view group, std::string_view label);
/// Bytes of one cached value: 1 where the group says kv_fp8, else 2.
double kv_bytes(std::string_view group);

}  // namespace fathom::forms
