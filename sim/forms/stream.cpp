#include "forms/stream.hpp"

#include <array>
#include <cstddef>
#include <string_view>

#include "forms/blend.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {
namespace {

constexpr std::array<std::string_view, 4> kColumns{"tokens", "hidden", "sites", "streams"};

enum : std::size_t { kLaunch, kDevice, kMemory, kCompute, kBlend };

std::vector<ParamRange> ranges(std::string_view /*group*/) {
  return {{"launch_us", 10.0, 1.0, 100.0},
          {"device_us", 3.0, 0.01, 60.0},
          {"memory_share", 0.7, 0.05, 1.0},
          {"compute_share", 0.05, 0.001, 1.0},
          {"blend", 3.0, 1.0, 20.0}};
}

// `pre` reads n streams and writes one, after a projection of the n hidden values to n^2 + 2n
// mixing weights; `post` reads n streams and the block's output and writes n streams.
double seconds(std::string_view group, std::span<const double> p, std::span<const double> s,
               const DeviceFigures& device) {
  const bool pre = has_label(group, "pre");
  const double rows = s[0] * s[1] * s[2];
  const double n = s[3];
  const double bytes = 2.0 * rows * (pre ? n + 1.0 : 2.0 * n + 1.0);
  const double flop = pre ? 2.0 * rows * n * (n * n + 2.0 * n) : 0.0;
  const double busy = bytes / (device.memory_bandwidth * p[kMemory]) + p[kDevice] * kMicro +
                      flop / (device.peak_bf16 * p[kCompute]);
  return blend(p[kBlend], {p[kLaunch] * kMicro, busy});
}

}  // namespace

std::vector<Form> stream_forms() { return {{"mhc", kColumns, ranges, seconds}}; }

}  // namespace fathom::forms
