#include "forms/moe.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string_view>

#include "forms/blend.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {

std::array<double, 9> columns(const MoeShape& shape) {
  const RankLoad& load = shape.load;
  return {shape.tokens, shape.hidden, shape.inter,  shape.local_experts, load.active_experts,
          load.rows,    load.rows_16, load.rows_64, load.rows_128};
}

namespace {

constexpr std::array<std::string_view, 9> kMoeColumns{
    "tokens", "hidden",  "inter",   "local_experts", "active_experts",
    "rows",   "rows_16", "rows_64", "rows_128"};
constexpr std::array<std::string_view, 6> kGroupedColumns{"n",    "k",       "active_experts",
                                                          "rows", "rows_64", "rows_128"};

// Shared by both forms, in this order.
enum : std::size_t { kLaunch, kCompute, kMemory, kFeed, kQuant, kWave, kBlend, kCommon };

/// Rows of all experts, each padded to whole tiles of this height; columns per tile.
struct Tiling {
  double height = 0.0;
  double padded_rows = 0.0;
  double width = 128.0;
};

/// Rounds of thread blocks, and the steps along k that an SM walks in them.
struct Walk {
  double rounds = 0.0;
  double steps = 0.0;
};

Walk walk(const Tiling& tiling, double n, double k, double quant, double sm_count) {
  const double ctas = tiling.padded_rows / tiling.height * blocks(n, tiling.width);
  const double rounds = waves(quant, ctas, sm_count);
  return {rounds, rounds * k};
}

/// What every tiling of one call shares.
struct Call {
  Precision precision;
  double memory_s = 0.0;  // weights (and rows) at their share of the bandwidth
  std::span<const double> p;
  const DeviceFigures& device;
};

double walk_seconds(const Walk& w, const Tiling& tiling, const Call& c) {
  const Precision& e = c.precision;
  const double tensor = w.steps * 2.0 * tiling.height * tiling.width * c.device.sm_count /
                        (c.device.*e.peak * c.p[kCompute]);
  const double feed = w.steps *
                      (tiling.height * e.activation_bytes + tiling.width * e.weight_bytes) /
                      (c.p[kFeed] * kGiga);
  return blend(c.p[kBlend], {tensor, feed, c.memory_s}) + w.rounds * c.p[kWave] * kMicro;
}

std::vector<ParamRange> common_ranges() {
  return {{"launch_us", 25.0, 3.0, 80.0},     {"compute_share", 0.6, 0.1, 1.05},
          {"memory_share", 0.85, 0.2, 1.0},   {"feed_gb_s", 120.0, 10.0, 1500.0},
          {"wave_quantised", 0.5, 0.02, 1.0}, {"wave_us", 0.5, 0.01, 8.0},
          {"blend", 3.0, 1.0, 12.0}};
}

enum : std::size_t { kPermute = kCommon, kExpert, kToken };

std::vector<ParamRange> moe_ranges(std::string_view /*group*/) {
  std::vector<ParamRange> out = common_ranges();
  out.push_back({"permute_passes", 2.0, 0.05, 20.0});
  out.push_back({"us_per_100_experts", 1.0, 0.01, 50.0});
  out.push_back({"ns_per_token", 1.0, 0.01, 60.0});
  return out;
}

// Both products of the layer in one tile height; the library takes the best height.
double products_seconds(const MoeShape& x, const Precision& e, std::span<const double> p,
                        const DeviceFigures& device) {
  const double weights = 3.0 * x.load.active_experts * x.hidden * x.inter * e.weight_bytes;
  const Call call{e, weights / (device.memory_bandwidth * p[kMemory]), p, device};
  double best = std::numeric_limits<double>::infinity();
  for (const Tiling& tiling : {Tiling{16.0, x.load.rows_16}, Tiling{64.0, x.load.rows_64},
                               Tiling{128.0, x.load.rows_128}}) {
    const Walk up = walk(tiling, 2.0 * x.inter, x.hidden, p[kQuant], device.sm_count);
    const Walk down = walk(tiling, x.hidden, x.inter, p[kQuant], device.sm_count);
    const Walk both{up.rounds + down.rounds, up.steps + down.steps};
    best = std::min(best, walk_seconds(both, tiling, call));
  }
  return best;
}

double moe_seconds(std::string_view group, std::span<const double> p, std::span<const double> s,
                   const DeviceFigures& device) {
  const MoeShape x{.tokens = s[0],
                   .hidden = s[1],
                   .inter = s[2],
                   .local_experts = s[3],
                   .load = {s[4], s[5], s[6], s[7], s[8]}};
  // Gathered and scattered rows, the activation between the products, the result of every token;
  // all in 16 bits.
  const double permuted =
      4.0 * x.load.rows * x.hidden + 6.0 * x.load.rows * x.inter + 2.0 * x.tokens * x.hidden;
  return (p[kLaunch] + p[kExpert] * x.local_experts / 100.0) * kMicro +
         products_seconds(x, precision_of(group), p, device) +
         p[kPermute] * permuted / device.memory_bandwidth + p[kToken] * kNano * x.tokens;
}

std::vector<ParamRange> grouped_ranges(std::string_view /*group*/) {
  std::vector<ParamRange> out = common_ranges();
  out[kLaunch] = {"launch_us", 5.0, 0.5, 60.0};
  out[kCompute] = {"compute_share", 0.7, 0.1, 1.05};
  out[kWave] = {"wave_us", 0.3, 0.01, 8.0};
  out[kBlend] = {"blend", 4.0, 1.0, 12.0};
  return out;
}

// DeepGEMM: the contiguous layout aligns experts to 128 rows, the masked one to 64.
double grouped_seconds(std::string_view group, std::span<const double> p, std::span<const double> s,
                       const DeviceFigures& device) {
  const Precision e = precision_of(group);
  const double n = s[0];
  const double k = s[1];
  const double bytes = s[2] * n * k * e.weight_bytes + s[3] * (k * e.activation_bytes + 2.0 * n);
  const Call call{e, bytes / (device.memory_bandwidth * p[kMemory]), p, device};
  double best = std::numeric_limits<double>::infinity();
  for (const Tiling& tiling : {Tiling{64.0, s[4], 64.0}, Tiling{64.0, s[4], 128.0},
                               Tiling{128.0, s[5], 64.0}, Tiling{128.0, s[5], 128.0}}) {
    const Walk w = walk(tiling, n, k, p[kQuant], device.sm_count);
    best = std::min(best, walk_seconds(w, tiling, call));
  }
  return p[kLaunch] * kMicro + best;
}

}  // namespace

std::vector<Form> moe_forms() {
  return {{"moe", kMoeColumns, moe_ranges, moe_seconds},
          {"infersim_grouped", kGroupedColumns, grouped_ranges, grouped_seconds}};
}

}  // namespace fathom::forms
