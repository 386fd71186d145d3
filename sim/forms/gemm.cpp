#include "forms/gemm.hpp"

#include <array>
#include <cstddef>
#include <limits>

#include "core/portable_math.hpp"
#include "forms/blend.hpp"

namespace fathom::forms {
namespace {

/// Sides are powers of two, so a product with the inverse is exact.
struct Tile {
  double m;
  double n;
  double per_m = 1.0 / m;
  double per_n = 1.0 / n;
};

constexpr std::array<Tile, 10> kCublasTiles{{{16, 64},
                                             {16, 128},
                                             {32, 64},
                                             {64, 32},
                                             {64, 64},
                                             {64, 128},
                                             {128, 64},
                                             {128, 128},
                                             {128, 256},
                                             {256, 128}}};
// DeepGEMM: rows of one or two warp groups, one scale block of columns or a fraction.
constexpr std::array<Tile, 5> kDeepgemmTiles{
    {{64, 32}, {64, 64}, {64, 128}, {128, 64}, {128, 128}}};
constexpr std::size_t kMaxCandidates = 40;
constexpr double kStepK = 64.0;  // k is walked in steps of this many values

// Without initialisers: an array of them is filled in part, and clearing it first costs as much as
// the search.
struct Candidate {
  double tensor;
  double feed;
  double memory;
  double serial;
  double fixed;
  double largest() const { return std::max(std::max(tensor, feed), std::max(memory, serial)); }
  double bound() const { return largest() + fixed; }
  double seconds(double p) const { return blend(p, {tensor, feed, memory, serial}) + fixed; }
};

// x^n for n >= 1.
double raised(double x, unsigned n) {
  double out = 1.0;
  for (;; x *= x) {
    if ((n & 1U) != 0) out *= x;
    n >>= 1U;
    if (n == 0) return out;
  }
}

/// Lower bounds of a p-norm without std::pow: norms fall with p, so the ones of the next whole and
/// the next half number are below it.
class NormBound {
 public:
  explicit NormBound(double p)
      : whole_(static_cast<unsigned>(std::ceil(p))),
        halves_(static_cast<unsigned>(std::ceil(2.0 * p))) {}

  /// Whether a candidate takes `best` or more by a bound.
  bool rules_out(const Candidate& c, double best) const {
    constexpr double kRounding = 1.0 + 1e-12;
    const double scale = 1.0 / c.largest();
    const std::array parts{c.tensor * scale, c.feed * scale, c.memory * scale, c.serial * scale};
    const double limit = (best - c.fixed) * scale * kRounding;
    if (sum(parts, whole_) >= raised(limit, whole_)) return true;
    if (halves_ == 2 * whole_) return false;
    std::array<double, 4> roots;
    for (std::size_t i = 0; i < roots.size(); ++i) roots[i] = std::sqrt(parts[i]);
    return sum(roots, halves_) >= raised(std::sqrt(limit), halves_);
  }

 private:
  static double sum(const std::array<double, 4>& x, unsigned n) {
    return raised(x[0], n) + raised(x[1], n) + raised(x[2], n) + raised(x[3], n);
  }
  unsigned whole_;
  unsigned halves_;
};

// A partly filled row of tiles still takes a whole tile's instructions, less so when there are
// more.
double padding(const Product& x, const Tile& tile, double rows, double pad) {
  if (pad <= 0.0) return 1.0;
  return 1.0 + pad * (rows * tile.m - x.m) * tile.per_m / std::min(rows, 2.0);
}

/// Rates of one call, inverted once.
struct PerCall {
  double tensor_s = 0.0;  // one SM, one multiply-add
  double feed_s = 0.0;    // one SM, one byte
  double memory_s = 0.0;  // one byte
  double bytes = 0.0;     // operands and result
  double sm_count = 0.0;
};

PerCall per_call(const Product& x, const TileRates& rates, const DeviceFigures& device) {
  const Precision& e = x.precision;
  return {.tensor_s = 2.0 * device.sm_count / (device.*e.peak * rates.compute_share),
          .feed_s = 1.0 / (rates.feed_gb_s * kGiga),
          .memory_s = 1.0 / (device.memory_bandwidth * rates.memory_share),
          .bytes = x.batch *
                   (x.m * x.k * e.activation_bytes + x.n * x.k * e.weight_bytes + 2.0 * x.m * x.n),
          .sm_count = device.sm_count};
}

/// Parts of k: what does not depend on the tile.
struct Split {
  double parts = 1.0;
  double k = 0.0;  // that one thread block walks, in whole steps
  double memory = 0.0;
  double serial = 0.0;
  double fixed_us = 0.0;
};

Split split_of(const Product& x, const TileRates& rates, double parts, const PerCall& call) {
  const double k = blocks(x.k / parts, kStepK) * kStepK;
  // Partial sums are written and read once per split, in FP32.
  const double partial = parts > 1.0 ? 8.0 * x.batch * x.m * x.n * parts : 0.0;
  return {.parts = parts,
          .k = k,
          .memory = (call.bytes + partial) * call.memory_s,
          .serial = k * rates.k_ns * kNano,
          .fixed_us = parts > 1.0 ? rates.split_us : 0.0};
}

/// One tile shape: rounds of thread blocks without a split, and what an SM does per step along k.
struct Tiled {
  double filled = 0.0;  // thread blocks / SMs
  double tensor_s = 0.0;
  double feed_s = 0.0;
};

Tiled tiled(const Product& x, const TileRates& rates, const Tile& tile, const PerCall& call) {
  const double rows = blocks(x.m * tile.per_m);
  const double excess = padding(x, tile, rows, rates.pad);
  return {.filled = rows * blocks(x.n * tile.per_n) * x.batch / call.sm_count,
          .tensor_s = tile.m * tile.n * call.tensor_s * excess,
          .feed_s = (tile.m * x.precision.activation_bytes + tile.n * x.precision.weight_bytes) *
                    call.feed_s * excess};
}

Candidate candidate(const TileRates& rates, const Tiled& tile, const Split& split) {
  const double rounds = waves(rates.wave_quant, tile.filled * split.parts, 1.0);
  return {.tensor = rounds * split.k * tile.tensor_s,
          .feed = rounds * split.k * tile.feed_s,
          .memory = split.memory,
          .serial = split.serial,
          .fixed = (rounds * rates.wave_us + split.fixed_us) * kMicro};
}

std::span<const Tile> tiles_of(TileFamily family) {
  if (family == TileFamily::deepgemm) return kDeepgemmTiles;
  return kCublasTiles;
}

}  // namespace

double product_seconds(const Product& product, const TileRates& rates, TileFamily family,
                       const DeviceFigures& device) {
  const PerCall call = per_call(product, rates, device);
  std::array<Split, 4> splits;
  const std::size_t parts = family == TileFamily::cublas ? splits.size() : 1;
  for (std::size_t i = 0; i < parts; ++i)
    splits[i] = split_of(product, rates, static_cast<double>(1U << i), call);
  std::array<Candidate, kMaxCandidates> all;
  std::array<double, kMaxCandidates> bounds;
  std::size_t count = 0;
  std::size_t first = 0;
  for (const Tile& tile : tiles_of(family)) {
    const Tiled one = tiled(product, rates, tile, call);
    for (std::size_t i = 0; i < parts; ++i, ++count) {
      all[count] = candidate(rates, one, splits[i]);
      bounds[count] = all[count].bound();
      if (bounds[count] < bounds[first]) first = count;
    }
  }
  double best = all[first].seconds(rates.blend);
  const NormBound norm{rates.blend};
  for (std::size_t i = 0; i < count; ++i) {
    if (i == first || bounds[i] >= best || norm.rules_out(all[i], best)) continue;
    best = std::min(best, all[i].seconds(rates.blend));
  }
  return best;
}

namespace {

constexpr std::array<std::string_view, 3> kGemmColumns{"m", "n", "k"};
constexpr std::array<std::string_view, 4> kBmmColumns{"batch", "m", "n", "k"};

// Shared by every product, in this order; what follows differs by kernel.
enum : std::size_t { kLaunch, kCompute, kMemory, kFeed, kQuant, kWave, kBlend, kSerial, kCommon };

std::vector<ParamRange> common_ranges(double launch) {
  return {{"launch_us", launch, 0.3, 30.0},   {"compute_share", 0.8, 0.2, 1.05},
          {"memory_share", 0.85, 0.3, 1.0},   {"feed_gb_s", 120.0, 10.0, 1000.0},
          {"wave_quantised", 0.7, 0.05, 1.0}, {"wave_us", 0.5, 0.01, 8.0},
          {"blend", 3.0, 1.0, 12.0},          {"serial_ns_per_k", 0.5, 0.01, 4.0}};
}

TileRates common_rates(std::span<const double> p) {
  return {.compute_share = p[kCompute],
          .memory_share = p[kMemory],
          .feed_gb_s = p[kFeed],
          .wave_quant = p[kQuant],
          .wave_us = p[kWave],
          .blend = p[kBlend],
          .k_ns = p[kSerial]};
}

// Rows of quantised formats behave as if A were quantised inside: time proportional to m k whatever
// n is (reference 32768 x 32..128 x 7168 on H100: fp8 0.68 ms, bf16 0.17 ms). BF16 has no such
// term.
bool quantises(std::string_view group) { return first_label(group) != "bf16"; }
bool is_block_scaled(std::string_view group) { return first_label(group) == "fp8_block"; }

std::vector<ParamRange> gemm_ranges(std::string_view group) {
  std::vector<ParamRange> out = common_ranges(quantises(group) ? 6.0 : 2.5);
  if (is_block_scaled(group)) {
    out.push_back({"pad", 0.3, 0.012, 3.0});
  } else {
    out.push_back({"split_us", 1.5, 0.05, 20.0});
  }
  if (quantises(group)) out.push_back({"quantise_bytes", 4.0, 0.05, 20.0});
  return out;
}

double gemm_seconds(std::string_view group, std::span<const double> p,
                    std::span<const double> shape, const DeviceFigures& device) {
  const Product x{.m = shape[0], .n = shape[1], .k = shape[2], .precision = precision_of(group)};
  TileRates rates = common_rates(p);
  const bool block = is_block_scaled(group);
  (block ? rates.pad : rates.split_us) = p[kCommon];
  const double quantise = quantises(group) ? p[kCommon + 1] * x.m * x.k : 0.0;
  return p[kLaunch] * kMicro + quantise / device.memory_bandwidth +
         product_seconds(x, rates, block ? TileFamily::deepgemm : TileFamily::cublas, device);
}

// InferSim times DeepGEMM alone: A is quantised before the clock starts.
std::vector<ParamRange> bare_ranges(std::string_view /*group*/) {
  std::vector<ParamRange> out = common_ranges(6.0);
  out.push_back({"pad", 0.3, 0.012, 3.0});
  return out;
}

double bare_seconds(std::string_view group, std::span<const double> p,
                    std::span<const double> shape, const DeviceFigures& device) {
  const Product x{.m = shape[0], .n = shape[1], .k = shape[2], .precision = precision_of(group)};
  TileRates rates = common_rates(p);
  rates.pad = p[kCommon];
  return p[kLaunch] * kMicro + product_seconds(x, rates, TileFamily::deepgemm, device);
}

// memory_share above 1: the operands of the absorption products stay in L2.
std::vector<ParamRange> bmm_ranges(std::string_view /*group*/) {
  std::vector<ParamRange> out = common_ranges(3.5);
  out[kCompute] = {"compute_share", 0.7, 0.1, 1.05};
  out[kMemory] = {"memory_share", 0.8, 0.1, 1.0};
  out[kFeed] = {"feed_gb_s", 150.0, 10.0, 1500.0};
  out[kWave] = {"wave_us", 0.3, 0.01, 8.0};
  out.push_back({"cast_passes", 0.5, 0.01, 20.0});
  out.push_back({"cache_mb", 40.0, 10.0, 150.0});
  out.push_back({"cache_gain", 3.0, 1.0, 10.0});
  return out;
}

// Timed in a loop, operands and result are still in the last-level cache from the call before while
// they all fit; a cyclic walk over a little more than fits misses everywhere (least recently used).
// Returns the factor on bandwidth.
double cache_factor(double bytes, double cache_bytes, double gain) {
  constexpr double kSharpness = 10.0;
  const double missed = 1.0 / (1.0 + portable::pow(cache_bytes / bytes, kSharpness));
  return 1.0 / (missed + (1.0 - missed) / gain);
}

// FP8 operands are converted around the product: 1 byte read and 2 written per value, or the
// reverse. BF16 inputs are re-laid out once.
double cast_bytes(const Product& x) {
  const bool narrow = x.precision.weight_bytes < 2.0;
  return narrow ? 3.0 * x.batch * (x.m + x.n) * x.k : 2.0 * x.batch * x.m * x.k;
}

double bmm_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  const Product x{.batch = shape[0],
                  .m = shape[1],
                  .n = shape[2],
                  .k = shape[3],
                  .precision = precision_of(group)};
  const Precision& e = x.precision;
  const double resident =
      x.batch * (x.m * x.k * 2.0 + x.n * x.k * e.weight_bytes + 2.0 * x.m * x.n);
  const double factor = cache_factor(resident, p[kCommon + 1] * 1e6, p[kCommon + 2]);
  DeviceFigures cached = device;
  cached.memory_bandwidth *= factor;
  return p[kLaunch] * kMicro + product_seconds(x, common_rates(p), TileFamily::unsplit, cached) +
         p[kCommon] * cast_bytes(x) / cached.memory_bandwidth;
}

}  // namespace

std::vector<Form> gemm_forms() {
  return {{"gemm", kGemmColumns, gemm_ranges, gemm_seconds},
          {"mla_bmm", kBmmColumns, bmm_ranges, bmm_seconds},
          {"infersim_gemm", kGemmColumns, bare_ranges, bare_seconds}};
}

}  // namespace fathom::forms
