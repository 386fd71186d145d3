#include "forms/collective.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "core/portable_math.hpp"
#include "forms/blend.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {
namespace {

constexpr std::array<std::string_view, 2> kColumns{"ranks", "bytes"};

enum : std::size_t {
  kAlpha,
  kAlphaPerRank,
  kRamp,
  kFlags,
  kLine,
  kLineBandwidth,
  kBulk,
  kBulkBandwidth,
  kPair,
  kSwitch,
  kSwitchBandwidth,
};

// NVLink switches add floating-point values on their way (NVLS, from Hopper on), integers not.
bool added_in_switch(std::string_view group) {
  return has_label(group, "all_reduce") && !has_label(group, "integer");
}

std::vector<ParamRange> nccl_ranges(std::string_view group) {
  std::vector<ParamRange> out{
      {"alpha_us", 4.0, 0.5, 40.0},       {"alpha_us_per_rank", 0.8, 0.01, 10.0},
      {"channel_ramp", 0.05, 0.001, 1.0}, {"ll_share", 0.1, 0.005, 1.0},
      {"ll128_alphas", 1.5, 1.0, 8.0},    {"ll128_share", 0.4, 0.05, 1.2},
      {"simple_alphas", 3.0, 1.0, 20.0},  {"simple_share", 0.8, 0.2, 1.5},
      {"pair_share", 0.8, 0.4, 1.3}};
  if (added_in_switch(group)) {
    out.push_back({"switch_alphas", 5.0, 1.0, 20.0});
    out.push_back({"switch_share", 0.6, 0.2, 1.2});
  }
  return out;
}

// Bytes that a rank sends: an all-reduce is a reduce-scatter and an all-gather.
double wire_bytes(std::string_view group, double ranks, double bytes) {
  const double passes = has_label(group, "all_reduce") ? 2.0 : 1.0;
  return passes * bytes * (ranks - 1.0) / ranks;
}

// NCCL's three protocols (LL: a flag with every 4 bytes; LL128: one per 128; Simple: fences), each
// alpha(n) + bytes / bandwidth; the library picks the fastest. More channels open as sizes grow.
// Added in the switch, a message leaves every rank once, and 1/n of the sum comes back to be spread
// to all: 1 + 1/n messages on each link where a ring moves 2 (n-1)/n.
double nccl_seconds(std::string_view group, std::span<const double> p, std::span<const double> s,
                    const DeviceFigures& device) {
  constexpr double kSharpness = 8.0;
  constexpr double kRampBytes = 8e3;
  const double bytes = wire_bytes(group, s[0], s[1]);
  const double link = device.scale_up * (s[0] < 3.0 ? p[kPair] : 1.0);
  const double alpha = (p[kAlpha] + p[kAlphaPerRank] * (s[0] - 1.0)) * kMicro;
  const double low_latency = alpha * (1.0 + p[kRamp] * portable::log2(1.0 + bytes / kRampBytes)) +
                             bytes / (link * p[kFlags]);
  const double line = alpha * p[kLine] + bytes / (link * p[kLineBandwidth]);
  const double bulk = alpha * p[kBulk] + bytes / (link * p[kBulkBandwidth]);
  if (!added_in_switch(group)) return soft_min(kSharpness, {low_latency, line, bulk});
  const double in_switch =
      alpha * p[kSwitch] + s[1] * (1.0 + 1.0 / s[0]) / (device.scale_up * p[kSwitchBandwidth]);
  return soft_min(kSharpness, {low_latency, line, bulk, in_switch});
}

enum : std::size_t {
  kOneShot,
  kOneShotPerRank,
  kOneShotShare,
  kTwoShot,
  kTwoShotPerRank,
  kTwoShotShare,
  kWideGain,
  kFill,
  kFillSize,
};

std::vector<ParamRange> custom_ranges(std::string_view /*group*/) {
  return {{"one_shot_us", 2.5, 0.5, 20.0},
          {"one_shot_us_per_rank", 0.1, 0.001, 5.0},
          {"one_shot_share", 0.4, 0.02, 1.5},
          {"two_shot_us", 6.0, 0.5, 80.0},
          {"two_shot_us_per_rank", 1.0, 0.001, 20.0},
          {"two_shot_share", 0.7, 0.1, 1.5},
          {"wide_gain", 0.2, 0.001, 2.0},
          {"fill_us", 30.0, 0.1, 300.0},
          {"fill_mb", 10.0, 1.0, 100.0}};
}

// One shot: every rank reads all the others. Two shots: reduce-scatter, all-gather. TensorRT-LLM
// changes over at 1 MB.
double custom_seconds(std::string_view /*group*/, std::span<const double> p,
                      std::span<const double> s, const DeviceFigures& device) {
  constexpr double kOneShotBytes = 1e6;
  constexpr double kMega = 1e6;
  const double peers = s[0] - 1.0;
  const double bytes = s[1];
  const double one_shot =
      (p[kOneShot] + p[kOneShotPerRank] * peers) * kMicro +
      peers * std::min(bytes, kOneShotBytes) / (device.scale_up * p[kOneShotShare]);
  if (bytes <= kOneShotBytes) return one_shot;
  const double alpha = (p[kTwoShot] + p[kTwoShotPerRank] * peers) * kMicro;
  const double wide = s[0] > 4.0 ? 1.0 + p[kWideGain] : 1.0;
  const double moved = 2.0 * peers / s[0] * bytes / (device.scale_up * p[kTwoShotShare] * wide);
  // Pipelining over pieces pays off slowly: up to tens of megabytes the marginal bandwidth grows.
  const double fill = p[kFill] * kMicro * (1.0 - portable::exp(-bytes / (p[kFillSize] * kMega)));
  // A library that changed over to something faster would have done so earlier.
  return std::max(one_shot, alpha + moved + fill);
}

}  // namespace

std::vector<Form> collective_forms() {
  return {{"nccl", kColumns, nccl_ranges, nccl_seconds},
          {"custom_allreduce", kColumns, custom_ranges, custom_seconds}};
}

}  // namespace fathom::forms
