#include "forms/context_attention.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "forms/blend.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {
namespace {

constexpr std::array<std::string_view, 7> kColumns{"batch",    "new_tokens", "past_tokens", "heads",
                                                   "kv_heads", "qk_dim",     "v_dim"};
constexpr double kTile = 128.0;  // queries per thread block

struct Prefill {
  double batch, s, past, heads, kv_heads, qk_dim, v_dim;
  double rows() const { return batch * s * heads; }
  double context() const { return past + s; }
};

Prefill prefill(std::span<const double> x) { return {x[0], x[1], x[2], x[3], x[4], x[5], x[6]}; }

enum : std::size_t {
  kLaunch,
  kCompute,
  kExponential,
  kCta,
  kMemory,
  kBlend,
  kRow,
  kToken,
};

/// What differs between the kernels: the peak of their products, bytes of a cached value, rows that
/// are written or converted besides.
struct Kernel {
  double peak = 0.0;
  double kv_bytes = 2.0;
  double rows = 0.0;
};

// All pairs of a (sequence, head) in whole tiles, the triangle included.
double causal_area(const Prefill& x) {
  const double tiles = blocks(x.s, kTile);
  return 0.5 * tiles * (tiles + 1.0) * kTile * kTile + tiles * kTile * x.past;
}

double seconds(const Prefill& x, const Kernel& kernel, std::span<const double> p,
               const DeviceFigures& device) {
  const double per_pair =
      2.0 * (x.qk_dim + x.v_dim) * device.sm_count / (kernel.peak * p[kCompute]) +
      p[kExponential] * kPico;
  const double streams = x.batch * x.heads;
  const double cta = p[kCta] * kMicro;
  // The last tile of queries sees the whole context, and nothing is faster than that block.
  const double longest = cta + kTile * std::max(x.context(), kTile) * per_pair;
  const double mean =
      streams * (blocks(x.s, kTile) * cta + causal_area(x) * per_pair) / device.sm_count;
  const double bytes = (x.rows() * 2.0 + x.batch * x.context() * x.kv_heads * kernel.kv_bytes) *
                       (x.qk_dim + x.v_dim);
  const double core =
      blend(p[kBlend], {longest, mean, bytes / (device.memory_bandwidth * p[kMemory])});
  return p[kLaunch] * kMicro + core + p[kRow] * kPico * kernel.rows +
         p[kToken] * kNano * x.batch * x.s;
}

std::vector<ParamRange> ranges(std::string_view /*group*/) {
  return {{"launch_us", 8.0, 1.0, 60.0},    {"compute_share", 0.7, 0.1, 1.05},
          {"exp_ps", 3.0, 0.01, 200.0},     {"cta_us", 1.5, 0.05, 20.0},
          {"memory_share", 0.7, 0.05, 1.0}, {"blend", 4.0, 1.0, 12.0},
          {"row_ps", 5.0, 0.01, 5000.0},    {"token_ns", 0.2, 0.001, 20.0}};
}

// Keys and values are decompressed to BF16 before this kernel, whatever the cache holds.
double mla_seconds(std::string_view /*group*/, std::span<const double> p,
                   std::span<const double> shape, const DeviceFigures& device) {
  const Prefill x = prefill(shape);
  return seconds(x, {.peak = device.peak_bf16, .rows = x.rows()}, p, device);
}

// Also rotates and writes queries, keys and values: rows of 128 values.
double gqa_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  const Prefill x = prefill(shape);
  const double rows = x.batch * x.s * (x.heads + 2.0 * x.kv_heads) * x.v_dim / 128.0;
  return seconds(x, {device.*precision_of(group).peak, kv_bytes(group), rows}, p, device);
}

// One sequence of 1 to 32 Ki tokens: too few rows to tell the small terms apart.
std::vector<ParamRange> bare_ranges(std::string_view group) {
  std::vector<ParamRange> out = ranges(group);
  out[kCta] = {"cta_us", 1.2, 1.2, 1.2};
  out[kMemory] = {"memory_share", 0.7, 0.7, 0.7};
  out[kBlend] = {"blend", 2.0, 2.0, 2.0};
  out[kRow] = {"row_ps", 5.0, 5.0, 5.0};
  out[kToken] = {"token_ns", 0.01, 0.01, 0.01};
  return out;
}

}  // namespace

std::vector<Form> context_attention_forms() {
  return {{"context_mla", kColumns, ranges, mla_seconds},
          {"context_attention", kColumns, ranges, gqa_seconds},
          {"infersim_prefill", kColumns, bare_ranges, mla_seconds}};
}

}  // namespace fathom::forms
