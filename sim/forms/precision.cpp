#include "forms/precision.hpp"

#include <array>

#include "core/error.hpp"

namespace fathom::forms {
namespace {

struct NamedPrecision {
  std::string_view name;
  Precision precision;
};

// NVFP4: one FP8 scale per 16 values (0.5 + 1/16 bytes). MXFP4 and weight-only INT4: one byte per
// 32 values and a little padding. Block scales of FP8 (one FP32 per 128 x 128 weights) vanish.
constexpr std::array<NamedPrecision, 9> kPrecisions{{
    {"bf16", {2.0, 2.0, &DeviceFigures::peak_bf16}},
    {"fp16", {2.0, 2.0, &DeviceFigures::peak_bf16}},
    {"fp8", {1.0, 1.0, &DeviceFigures::peak_fp8}},
    {"fp8_block", {1.0, 1.0, &DeviceFigures::peak_fp8}},
    {"nvfp4", {0.5625, 0.5625, &DeviceFigures::peak_fp4}},
    {"int4_wo", {2.0, 0.53, &DeviceFigures::peak_bf16}},
    {"int8_wo", {2.0, 1.0, &DeviceFigures::peak_bf16}},
    {"w4afp8", {1.0, 0.53, &DeviceFigures::peak_fp8}},
    {"w4a8_mxfp4_mxfp8", {1.0, 0.53, &DeviceFigures::peak_fp8}},
}};

}  // namespace

std::string_view first_label(std::string_view group) { return group.substr(0, group.find('/')); }

bool has_label(std::string_view group, std::string_view label) {
  while (true) {
    const auto slash = group.find('/');
    if (group.substr(0, slash) == label) return true;
    if (slash == std::string_view::npos) return false;
    group.remove_prefix(slash + 1);
  }
}

std::optional<Precision> find_precision(std::string_view dtype) {
  for (const NamedPrecision& entry : kPrecisions) {
    if (entry.name == dtype) return entry.precision;
  }
  return std::nullopt;
}

Precision precision_of(std::string_view group) {
  const auto found = find_precision(first_label(group));
  FATHOM_EXPECT(found.has_value(), "a group starts with a known number format");
  return *found;
}

double kv_bytes(std::string_view group) { return has_label(group, "kv_fp8") ? 1.0 : 2.0; }

}  // namespace fathom::forms
