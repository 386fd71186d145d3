#include "forms/generation_attention.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "forms/blend.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {
namespace {

constexpr std::array<std::string_view, 7> kColumns{
    "batch", "query_tokens", "context_tokens", "heads", "kv_heads", "qk_dim", "v_dim"};
constexpr double kRowsPerBlock = 64.0;  // queries x heads that share one thread block
constexpr double kRowsPerMma = 16.0;    // ... and one tensor instruction

struct Decode {
  double batch, queries, context, heads, kv_heads, qk_dim, v_dim;
  double rows() const { return queries * heads / kv_heads; }  // per key head
  double streams() const { return batch * kv_heads; }
  double tiles() const { return streams() * blocks(rows(), kRowsPerBlock); }
};

Decode decode(std::span<const double> x) { return {x[0], x[1], x[2], x[3], x[4], x[5], x[6]}; }

enum : std::size_t {
  kInOut,
  kLaunch,
  kMemory,
  kCompute,
  kFeed,
  kCta,
  kQuant,
  kOccupancy,
  kChunk,
  kMerge,
  kMergePasses,
  kBlend,
  kSplitBlocks,
};

/// How a kernel lays the cache out over the device.
struct Spread {
  double token_bytes = 0.0;    // that one block reads per token
  double block_feed = 0.0;     // B/s that one block takes
  double blocks_wanted = 0.0;  // per SM; the context is cut until there are so many
};

double seconds(const Decode& x, const Spread& spread, std::span<const double> p,
               const DeviceFigures& device) {
  const double bw = device.memory_bandwidth;
  // The context is cut until every place has a block or a piece is as short as a chunk. Pieces of
  // any length: whole chunks would make a longer context faster.
  const double wanted = std::max(1.0, spread.blocks_wanted * device.sm_count / x.tiles());
  const double split = std::max(1.0, std::min(x.context / p[kChunk], wanted));
  const double rounds = waves(p[kQuant], x.tiles() * split, p[kOccupancy] * device.sm_count);
  const double block =
      rounds * (p[kCta] * kMicro + x.context / split * spread.token_bytes / spread.block_feed);
  const double in_out = x.batch * x.queries * x.heads * (x.qk_dim + x.v_dim) * 2.0;
  const double memory = (x.streams() * x.context * spread.token_bytes + in_out) / (bw * p[kMemory]);
  const double tensor = 2.0 * x.streams() * blocks(x.rows(), kRowsPerMma) * kRowsPerMma *
                        x.context * (x.qk_dim + x.v_dim) / (device.peak_bf16 * p[kCompute]);
  // Every piece leaves an FP32 partial result: written, read.
  const double partial = x.batch * x.queries * x.heads * x.v_dim * 8.0;
  const double merge =
      p[kMerge] * kMicro * (1.0 - 1.0 / split) + p[kMergePasses] * (split - 1.0) * partial / bw;
  return p[kLaunch] * kMicro + blend(p[kBlend], {block, memory, tensor}) + merge +
         p[kInOut] * in_out / bw;
}

std::vector<ParamRange> mla_ranges(std::string_view /*group*/) {
  return {{"in_out_passes", 1.0, 0.02, 30.0},    {"launch_us", 6.0, 1.0, 60.0},
          {"memory_share", 0.8, 0.1, 1.0},       {"compute_share", 0.5, 0.02, 1.05},
          {"feed_gb_s", 60.0, 4.0, 600.0},       {"cta_us", 1.5, 0.05, 20.0},
          {"wave_quantised", 0.5, 0.02, 1.0},    {"blocks_per_sm", 1.5, 0.5, 8.0},
          {"chunk_tokens", 128.0, 16.0, 2048.0}, {"merge_us", 2.0, 0.01, 40.0},
          {"merge_passes", 1.0, 0.01, 10.0},     {"blend", 3.0, 1.0, 12.0}};
}

// One latent row per token serves as key and value of every head. The blocks of an SM share its
// feed, and the context is cut until all places are taken.
double mla_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  const Decode x = decode(shape);
  const Spread spread{.token_bytes = x.qk_dim * kv_bytes(group),
                      .block_feed = p[kFeed] * kGiga / p[kOccupancy],
                      .blocks_wanted = p[kOccupancy]};
  return seconds(x, spread, p, device);
}

// Here a block has a feed of its own, far below an SM's, and the heuristic cuts to fewer blocks
// than fit: one long sequence stays below the bandwidth that many sequences reach.
std::vector<ParamRange> gqa_ranges(std::string_view group) {
  std::vector<ParamRange> out = mla_ranges(group);
  out[kFeed] = {"block_gb_s", 40.0, 2.0, 600.0};
  out.push_back({"split_blocks_per_sm", 1.0, 0.25, 8.0});
  return out;
}

double gqa_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  const Decode x = decode(shape);
  const Spread spread{.token_bytes = (x.qk_dim + x.v_dim) * kv_bytes(group),
                      .block_feed = p[kFeed] * kGiga,
                      .blocks_wanted = p[kSplitBlocks]};
  return seconds(x, spread, p, device);
}

}  // namespace

std::vector<Form> generation_attention_forms() {
  return {{"generation_mla", kColumns, mla_ranges, mla_seconds},
          {"generation_attention", kColumns, gqa_ranges, gqa_seconds},
          {"infersim_mla_decode", kColumns, mla_ranges, mla_seconds},
          {"infersim_mha_decode", kColumns, gqa_ranges, gqa_seconds}};
}

}  // namespace fathom::forms
