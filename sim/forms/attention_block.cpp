#include "forms/attention_block.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "forms/blend.hpp"
#include "forms/block_work.hpp"
#include "forms/precision.hpp"

namespace fathom::forms {
namespace {

constexpr std::array<std::string_view, 6> kColumns{"batch", "new_tokens", "past_tokens",
                                                   "heads", "hidden",     "q_lora_rank"};
constexpr std::array<std::string_view, 7> kDsaColumns{
    "batch", "new_tokens", "past_tokens", "heads", "hidden", "q_lora_rank", "eager"};
constexpr std::array<std::string_view, 7> kCsaColumns{
    "batch", "new_tokens", "past_tokens", "heads", "hidden", "q_lora_rank", "index_topk"};

BlockShape block_shape(std::span<const double> s) {
  return {.batch = s[0],
          .new_tokens = s[1],
          .past_tokens = s[2],
          .heads = s[3],
          .hidden = s[4],
          .q_lora_rank = s[5]};
}

enum : std::size_t {
  kLaunch,
  kDevice,
  kMemory,
  kProjection,
  kMinTokens,
  kActivation,
  kCompute,
  kCoreMemory,
  kChain,
  kMerge = kChain,
  kBlend,
  kHostBlend,
  kPlain,  // parameters of a block without an indexer
  kSlots = kPlain,
  kIndex,
  kPair,
  kKey,
  kLongKey,
  kSelect,
  kEager,
  kLong,
};

std::vector<ParamRange> plain_ranges(std::string_view /*group*/) {
  return {{"launch_us", 60.0, 5.0, 1800.0},  {"device_us", 20.0, 0.5, 800.0},
          {"memory_share", 0.7, 0.1, 1.0},   {"projection_share", 0.6, 0.05, 1.05},
          {"min_tokens", 64.0, 16.0, 256.0}, {"activation_passes", 1.5, 0.3, 8.0},
          {"core_share", 0.5, 0.02, 1.05},   {"core_memory_share", 0.6, 0.02, 1.0},
          {"chain_ns", 1.0, 0.05, 100.0},    {"blend", 2.0, 1.0, 12.0},
          {"host_blend", 4.0, 1.0, 30.0}};
}

std::vector<ParamRange> prefill_ranges(std::string_view group) {
  std::vector<ParamRange> out = plain_ranges(group);
  out[kChain] = {"chain_ns", 10.0, 0.5, 100.0};
  return out;
}

// Decode cuts the context instead of walking it: merging the pieces costs a launch.
std::vector<ParamRange> decode_ranges(std::string_view group) {
  std::vector<ParamRange> out = plain_ranges(group);
  out[kMerge] = {"merge_us", 5.0, 0.05, 100.0};
  return out;
}

std::vector<ParamRange> indexed_ranges(std::string_view group) {
  std::vector<ParamRange> out = plain_ranges(group);
  const std::array<ParamRange, 8> indexer{{{"slot_share", 0.2, 0.001, 1.0},
                                           {"index_share", 0.4, 0.01, 1.05},
                                           {"select_ps_per_pair", 2.0, 0.01, 500.0},
                                           {"key_ns", 0.2, 0.001, 5.0},
                                           {"long_key_excess", 0.5, 0.01, 5.0},
                                           {"select_us", 10.0, 0.1, 400.0},
                                           {"eager_us", 500.0, 1.0, 3000.0},
                                           {"long_us", 100.0, 0.1, 2000.0}}};
  out.insert(out.end(), indexer.begin(), indexer.end());
  return out;
}

struct Call {
  BlockShape shape;
  BlockWork work;
  Precision projections;
};

double projection_seconds(const Call& c, std::span<const double> p, const DeviceFigures& d) {
  const double tokens = c.shape.tokens();
  const double weights =
      c.work.weights * c.projections.weight_bytes / (d.memory_bandwidth * p[kMemory]);
  const double tensor = 2.0 * c.work.weights * std::max(tokens, p[kMinTokens]) /
                        (d.*c.projections.peak * p[kProjection]);
  return blend(p[kBlend], {weights, tensor}) +
         p[kActivation] * tokens * c.work.activation_bytes / d.memory_bandwidth;
}

double core_seconds(const BlockWork& w, double slot_share, std::span<const double> p,
                    const DeviceFigures& d) {
  const double flops = w.core_flops + slot_share * (w.full_flops - w.core_flops);
  const double bytes = w.core_bytes + slot_share * (w.full_bytes - w.core_bytes);
  return blend(p[kBlend],
               {flops / (d.peak_bf16 * p[kCompute]), bytes / (d.memory_bandwidth * p[kCoreMemory]),
                w.chain_tokens * p[kChain] * kNano});
}

double decode_seconds(const Call& c, std::span<const double> p, const DeviceFigures& d) {
  const double core = blend(p[kBlend], {c.work.core_flops / (d.peak_bf16 * p[kCompute]),
                                        c.work.core_bytes / (d.memory_bandwidth * p[kCoreMemory])});
  const double merge =
      p[kMerge] * kMicro * c.work.merged + c.work.partial_bytes / d.memory_bandwidth;
  const double busy = p[kDevice] * kMicro + projection_seconds(c, p, d) + core + merge;
  return blend(p[kHostBlend], {p[kLaunch] * kMicro, busy});
}

// The host launches while the device works: the slower of the two, never the sum.
double plain_seconds(const Call& c, std::span<const double> p, const DeviceFigures& d) {
  const double busy =
      p[kDevice] * kMicro + projection_seconds(c, p, d) + core_seconds(c.work, 0.0, p, d);
  return blend(p[kHostBlend], {p[kLaunch] * kMicro, busy});
}

double indexer_seconds(const BlockWork& w, std::span<const double> p, const DeviceFigures& d) {
  return w.index_flops / (d.peak_fp8 * p[kIndex]) + w.index_pairs * p[kPair] * kPico +
         w.gathered_keys * p[kKey] * kNano * (1.0 + p[kLongKey] * w.long_context) +
         w.selects * p[kSelect] * kMicro;
}

double indexed_seconds(const Call& c, std::span<const double> p, const DeviceFigures& d) {
  const double busy = p[kDevice] * kMicro + projection_seconds(c, p, d) +
                      core_seconds(c.work, p[kSlots], p, d) + indexer_seconds(c.work, p, d);
  const double host = p[kLaunch] + p[kEager] * c.shape.eager + p[kLong] * c.work.long_context;
  return blend(p[kHostBlend], {host * kMicro, busy});
}

double mla_prefill_seconds(std::string_view group, std::span<const double> p,
                           std::span<const double> shape, const DeviceFigures& device) {
  const BlockShape x = block_shape(shape);
  return plain_seconds({x, mla_prefill_work(x), precision_of(group)}, p, device);
}

double mla_decode_seconds(std::string_view group, std::span<const double> p,
                          std::span<const double> shape, const DeviceFigures& device) {
  const BlockShape x = block_shape(shape);
  const BlockWork work = mla_decode_work(x, kv_bytes(group), device.sm_count);
  return decode_seconds({x, work, precision_of(group)}, p, device);
}

double dsa_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  BlockShape x = block_shape(shape);
  x.eager = shape[6];
  const bool dense = has_label(group, "dense");
  return indexed_seconds({x, dsa_work(x, kv_bytes(group), dense), precision_of(group)}, p, device);
}

double csa_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  BlockShape x = block_shape(shape);
  x.index_topk = shape[6];
  return indexed_seconds({x, csa_work(x), precision_of(group)}, p, device);
}

double hca_seconds(std::string_view group, std::span<const double> p, std::span<const double> shape,
                   const DeviceFigures& device) {
  const BlockShape x = block_shape(shape);
  return plain_seconds({x, hca_work(x), precision_of(group)}, p, device);
}

}  // namespace

std::vector<Form> attention_block_forms() {
  return {{"mla_context_module", kColumns, prefill_ranges, mla_prefill_seconds},
          {"mla_generation_module", kColumns, decode_ranges, mla_decode_seconds},
          {"dsa_context_module", kDsaColumns, indexed_ranges, dsa_seconds},
          {"dsa_generation_module", kDsaColumns, indexed_ranges, dsa_seconds},
          {"dsv4_csa_context", kCsaColumns, indexed_ranges, csa_seconds},
          {"dsv4_csa_generation", kCsaColumns, indexed_ranges, csa_seconds},
          {"dsv4_hca_context", kColumns, plain_ranges, hca_seconds},
          {"dsv4_hca_generation", kColumns, plain_ranges, hca_seconds}};
}

}  // namespace fathom::forms
