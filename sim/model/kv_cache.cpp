#include "model/kv_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom::model {
namespace {

constexpr std::array<std::string_view, 5> kFormats{"bf16", "fp8", "fp8_mla", "nvfp4", "fp32"};
constexpr std::array<std::string_view, 4> kIndexFormats{"index-bf16", "index-fp8", "index-fp4",
                                                        "index-fp32"};

// Elements that were not rotated share scales; rotated ones may stay in bf16.
double plain_bytes(double elements, KvFormat format) {
  switch (format) {
    case KvFormat::bf16:
      return 2.0 * elements;
    case KvFormat::fp8:
    case KvFormat::fp8_mla:  // the sparse layout exists for latents only
      return elements;
    case KvFormat::nvfp4:
      return elements / 2.0 + elements / 16.0;
    case KvFormat::fp32:
      return 4.0 * elements;
  }
  FATHOM_EXPECT(false, "unhandled KV format");
}

double real(std::int64_t value) { return static_cast<double>(value); }

double index_key_bytes(const IndexerSpec& indexer, IndexKeyFormat format) {
  if (indexer.index_topk == 0 || indexer.shared) return 0.0;
  const double dim = real(indexer.index_head_dim);
  switch (format) {
    case IndexKeyFormat::bf16:
      return 2.0 * dim;
    case IndexKeyFormat::fp8:
      return dim + dim / 128.0 * 4.0;
    case IndexKeyFormat::fp4:
      return dim / 2.0 + dim / 32.0;
    case IndexKeyFormat::fp32:
      return 4.0 * dim;
  }
  FATHOM_EXPECT(false, "unhandled index key format");
}

// FlashMLA's sparse decoding layout: e4m3 latent, one fp32 scale per 128 of it, rope in bf16.
double latent_bytes(const MlaSpec& mla, KvFormat format) {
  const double c = real(mla.kv_lora_rank), rope = real(mla.qk_rope_head_dim);
  if (format == KvFormat::fp8_mla) return c + c / 128.0 * 4.0 + 2.0 * rope;
  return plain_bytes(c + rope, format);
}

// FlashMLA's V4 entry: e4m3 + rope in bf16 + one UE8M0 byte per 64 e4m3, padded to a multiple of 8.
double entry_bytes(const CompressedSpec& spec, KvFormat format) {
  if (format != KvFormat::fp8_mla) return plain_bytes(real(spec.head_dim), format);
  const std::int64_t quantised = spec.head_dim - spec.qk_rope_head_dim;
  const std::int64_t raw = quantised + 2 * spec.qk_rope_head_dim + (quantised + 63) / 64;
  return real((raw + 7) / 8 * 8);
}

// Pooling buffers of the reference code, values and scores in fp32: one block of head_dim channels,
// or for overlapping blocks two blocks of twice the channels.
double compressor_state(const CompressedSpec& spec) {
  // V4.1 pools 1 or 2 positions; the layout of what it keeps for that is not published.
  if (spec.compress_ratio < 4 || !spec.own_cache) return 0.0;
  const bool overlapping = spec.indexer.index_topk > 0;
  const double channels = real(spec.head_dim + (overlapping ? spec.indexer.index_head_dim : 0));
  const double blocks = overlapping ? 2.0 * 2.0 : 1.0;
  return blocks * real(spec.compress_ratio) * channels * 2.0 * 4.0;
}

LayerKv kv(const GqaSpec& gqa, const KvLayout& layout) {
  const double elements = 2.0 * real(gqa.num_key_value_heads * gqa.head_dim);
  return {.per_token = Bytes{plain_bytes(elements, layout.kv)},
          .cap_tokens = std::max(gqa.sliding_window, gqa.attention_chunk_size)};
}

LayerKv kv(const MlaSpec& mla, const KvLayout& layout) {
  return {.per_token =
              Bytes{latent_bytes(mla, layout.kv) + index_key_bytes(mla.indexer, layout.index_key)}};
}

LayerKv kv(const CompressedSpec& spec, const KvLayout& layout) {
  const double entry = entry_bytes(spec, layout.kv);
  LayerKv out;
  out.state = Bytes{compressor_state(spec)};
  out.constant = Bytes{real(spec.sliding_window) * entry} + out.state;
  if (spec.compress_ratio == 0 || !spec.own_cache) return out;
  const double block = entry + index_key_bytes(spec.indexer, layout.index_key);
  out.per_token = Bytes{block / real(spec.compress_ratio)};
  out.granularity = spec.compress_ratio;
  return out;
}

// The state matrices stay in fp32 (mamba_ssm_dtype of Qwen3.5), the convolution history in bf16.
LayerKv kv(const LinearAttentionSpec& linear, const KvLayout&) {
  const std::int64_t keys = linear.linear_num_key_heads * linear.linear_key_head_dim;
  const std::int64_t values = linear.linear_num_value_heads * linear.linear_value_head_dim;
  const double matrix = real(values * linear.linear_key_head_dim);
  const double history = real((linear.linear_conv_kernel_dim - 1) * (2 * keys + values));
  LayerKv out;
  out.state = out.constant = Bytes{4.0 * matrix + 2.0 * history};
  return out;
}

LayerKv kv(const TpaSpec& tpa, const KvLayout& layout) {
  const double elements =
      real((tpa.k_rank + tpa.v_rank) * (tpa.num_attention_heads + tpa.head_dim));
  return {.per_token = Bytes{plain_bytes(elements, layout.kv)}};
}

}  // namespace

std::string_view name(KvFormat format) { return kFormats[static_cast<std::size_t>(format)]; }

KvLayout parse_kv_layout(std::string_view text, std::string_view where) {
  const std::size_t plus = text.find('+');
  const std::string_view format = text.substr(0, plus);
  const auto* const found = std::ranges::find(kFormats, format);
  if (found == kFormats.end()) {
    throw InputError(fmt::format("{}: found '{}', expected one of {}{}", where, text,
                                 fmt::join(kFormats, ", "), did_you_mean(format, kFormats)));
  }
  KvLayout layout;
  layout.kv = static_cast<KvFormat>(found - kFormats.begin());
  if (plus == std::string_view::npos) return layout;
  const std::string_view index = text.substr(plus + 1);
  const auto* const key = std::ranges::find(kIndexFormats, index);
  if (key == kIndexFormats.end()) {
    throw InputError(fmt::format("{}: found '{}' after '+', expected one of {}{}", where, index,
                                 fmt::join(kIndexFormats, ", "),
                                 did_you_mean(index, kIndexFormats)));
  }
  layout.index_key = static_cast<IndexKeyFormat>(key - kIndexFormats.begin());
  return layout;
}

Math index_math(const KvLayout& layout) {
  switch (layout.index_key) {
    case IndexKeyFormat::fp32:
    case IndexKeyFormat::bf16:
      return Math::bf16;
    case IndexKeyFormat::fp8:
      return Math::fp8;
    case IndexKeyFormat::fp4:
      return Math::fp4;
  }
  FATHOM_EXPECT(false, "unhandled index key format");
}

LayerKv layer_kv(const AttentionSpec& attention, const KvLayout& layout) {
  return std::visit([&layout](const auto& spec) { return kv(spec, layout); }, attention);
}

Bytes kv_bytes_per_sequence(const ArchSpec& arch, const KvLayout& layout,
                            std::int64_t context_tokens) {
  Bytes sum;
  for (const int kind : arch.layers) {
    const LayerKv layer = layer_kv(arch.kinds[static_cast<std::size_t>(kind)].attention, layout);
    const std::int64_t seen =
        layer.cap_tokens > 0 ? std::min(context_tokens, layer.cap_tokens) : context_tokens;
    const std::int64_t whole = seen / layer.granularity * layer.granularity;
    sum += layer.constant + layer.per_token * real(whole);
  }
  return sum;
}

Bytes kv_growth_per_token(const ArchSpec& arch, const KvLayout& layout) {
  Bytes sum;
  for (const int kind : arch.layers) {
    const LayerKv layer = layer_kv(arch.kinds[static_cast<std::size_t>(kind)].attention, layout);
    if (layer.cap_tokens == 0) sum += layer.per_token;
  }
  return sum;
}

}  // namespace fathom::model
