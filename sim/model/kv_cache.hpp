#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "core/units.hpp"
#include "model/arch_spec.hpp"

namespace fathom::model {

/// How serving stacks lay out the cache.
///   bf16      two bytes an element
///   fp8       one byte an element, no stored scales (per-tensor)
///   fp8_mla   FlashMLA's sparse layout: kv_lora_rank e4m3 + one fp32 scale per 128 + rope in bf16
///   (656 B for 512 + 64);
///             V4 entries: e4m3 + rope in bf16 + one UE8M0 byte per 64 + pad (584 B for 512)
///   nvfp4     half a byte + one e4m3 scale per 16
///   fp32      four bytes an element: what `fathom run-model` holds
enum class KvFormat : std::uint8_t { bf16, fp8, fp8_mla, nvfp4, fp32 };
/// How indexer keys are stored: bf16 (256 B for 128), fp8 + fp32 scale (132 B), fp4 + UE8M0 per 32
/// (68 B), fp32 (512 B).
enum class IndexKeyFormat : std::uint8_t { bf16, fp8, fp4, fp32 };
struct KvLayout {
  KvFormat kv = KvFormat::bf16;
  IndexKeyFormat index_key = IndexKeyFormat::fp8;
  bool operator==(const KvLayout&) const = default;
};
/// "bf16", "fp8", "fp8_mla", "nvfp4" or "fp32", optionally with "+index-bf16", "+index-fp8",
/// "+index-fp4" or "+index-fp32".
KvLayout parse_kv_layout(std::string_view text, std::string_view where);
std::string_view name(KvFormat format);

/// What one sequence keeps in one layer at context length S: bytes(S) = constant + per_token *
/// min(S, cap) (cap = 0: no cap), in steps of `granularity` tokens (V4: a block appears when
/// complete).
struct LayerKv {
  Bytes per_token;  // growth per token, averaged over a compression block
  std::int64_t cap_tokens = 0;
  std::int64_t granularity = 1;
  Bytes constant;  // window rings, compressor and linear-attention state
  Bytes state;     // the part of `constant` that is fp32 working state, not cache entries
  bool operator==(const LayerKv&) const = default;
};
/// The arithmetic of index scores over keys stored so.
Math index_math(const KvLayout& layout);

LayerKv layer_kv(const AttentionSpec& attention, const KvLayout& layout);

/// Bytes of one sequence of `context_tokens` over all layers of the main model.
Bytes kv_bytes_per_sequence(const ArchSpec& arch, const KvLayout& layout,
                            std::int64_t context_tokens);
/// Growth per token beyond every window.
Bytes kv_growth_per_token(const ArchSpec& arch, const KvLayout& layout);

/// The `kv_cache` object of `fathom model --format json`.
nlohmann::json kv_cache_json(const ArchSpec& arch);

/// Matmul FLOPs of one decode token at context S, batch 1, by arithmetic class (the keys of
/// models_expected `decode_flops_per_token`).
nlohmann::json decode_flops_json(const ArchSpec& arch, const std::vector<std::int64_t>& contexts);

}  // namespace fathom::model
