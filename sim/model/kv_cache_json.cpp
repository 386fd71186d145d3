#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "model/kv_cache.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

constexpr KvLayout kBf16{KvFormat::bf16, IndexKeyFormat::bf16};
constexpr KvLayout kBf16Fp8Index{KvFormat::bf16, IndexKeyFormat::fp8};
constexpr KvLayout kSparse{KvFormat::fp8_mla, IndexKeyFormat::fp8};
constexpr KvLayout kSparseFp4Index{KvFormat::fp8_mla, IndexKeyFormat::fp4};
constexpr KvLayout kFp8{KvFormat::fp8, IndexKeyFormat::fp8};
constexpr KvLayout kNvfp4{KvFormat::nvfp4, IndexKeyFormat::fp8};
constexpr KvLayout kNvfp4Fp4Index{KvFormat::nvfp4, IndexKeyFormat::fp4};

// Whole bytes print as integers; V4's growth per token is a fraction.
json bytes(double value) {
  if (value == std::floor(value) && value < 9e15) return static_cast<std::int64_t>(value);
  return value;
}
json bytes(Bytes value) { return bytes(value.value); }

const AttentionSpec& attention_of(const ArchSpec& arch, std::size_t layer) {
  return arch.kinds[static_cast<std::size_t>(arch.layers[layer])].attention;
}

template <class Spec>
bool all_of(const ArchSpec& arch) {
  return std::ranges::all_of(arch.kinds, [](const LayerSpec& layer) {
    return std::holds_alternative<Spec>(layer.attention);
  });
}

template <class Predicate>
std::int64_t count_layers(const ArchSpec& arch, Predicate predicate) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    count += static_cast<std::int64_t>(predicate(attention_of(arch, i)));
  }
  return count;
}

std::int64_t count_kind(const ArchSpec& arch, std::string_view kind) {
  return count_layers(arch, [kind](const AttentionSpec& a) { return kind_name(a) == kind; });
}

Bytes sum_layers(const ArchSpec& arch, const std::function<Bytes(const LayerKv&)>& value,
                 const KvLayout& layout) {
  Bytes sum;
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    sum += value(layer_kv(attention_of(arch, i), layout));
  }
  return sum;
}

Bytes per_token(const ArchSpec& arch, const KvLayout& layout) {
  return sum_layers(
      arch, [](const LayerKv& kv) { return kv.per_token; }, layout);
}

// What full windows hold, plus everything that exists from the first token on.
Bytes constant(const ArchSpec& arch, const KvLayout& layout) {
  return sum_layers(
      arch,
      [](const LayerKv& kv) {
        return kv.constant + kv.per_token * static_cast<double>(kv.cap_tokens);
      },
      layout);
}

Bytes state(const ArchSpec& arch) {
  return sum_layers(
      arch, [](const LayerKv& kv) { return kv.state; }, kBf16);
}

json formats(const ArchSpec& arch, bool latent, bool indexed) {
  std::vector<std::pair<std::string_view, KvLayout>> list{{"bf16", kBf16Fp8Index}, {"fp8", kFp8}};
  if (latent) list.emplace_back("fp8_mla", kSparse);
  list.emplace_back("nvfp4", kNvfp4);
  if (indexed) {
    list.emplace_back("bf16+index-bf16", kBf16);
    list.emplace_back("fp8_mla+index-fp4", kSparseFp4Index);
    list.emplace_back("nvfp4+index-fp4", kNvfp4Fp4Index);
  }
  json out = json::object();
  for (const auto& [format, layout] : list) {
    out[format] = {{"growth_bytes_per_token", bytes(kv_growth_per_token(arch, layout))},
                   {"constant_bytes_per_sequence", bytes(constant(arch, layout))}};
  }
  return out;
}

std::string sparse_layout(const MlaSpec& mla) {
  const std::int64_t scales = mla.kv_lora_rank / 128;
  return fmt::format(
      "{0} e4m3 + {1} fp32 scales (one per 128) + {2} bf16 rope = {0}+{3}+{4} (defined by FlashMLA "
      "for the sparse kernel)",
      mla.kv_lora_rank, scales, mla.qk_rope_head_dim, 4 * scales, 2 * mla.qk_rope_head_dim);
}

MlaSpec without_indexer(MlaSpec mla) {
  mla.indexer = {};
  return mla;
}

void add_indexer(const ArchSpec& arch, const MlaSpec& mla, json& out) {
  MlaSpec with = mla;
  with.indexer.shared = false;
  const Bytes key =
      layer_kv(with, kSparse).per_token - layer_kv(without_indexer(mla), kSparse).per_token;
  out["indexer_key_bytes_fp8_per_token_per_layer"] = bytes(key);
  out["indexer_layout"] = fmt::format("{} e4m3 + {} fp32 scale", mla.indexer.index_head_dim,
                                      mla.indexer.index_head_dim / 128);
  out["indexer_layers"] = count_layers(
      arch, [](const AttentionSpec& a) { return !std::get<MlaSpec>(a).indexer.shared; });
  out["bf16_main_plus_fp8_indexer_bytes_per_token"] = bytes(per_token(arch, kBf16Fp8Index));
  out["fp8_main_plus_fp8_indexer_bytes_per_token"] = bytes(per_token(arch, kSparse));
}

json mla_json(const ArchSpec& arch) {
  const auto& mla = std::get<MlaSpec>(attention_of(arch, 0));
  const MlaSpec main = without_indexer(mla);
  const auto layers = static_cast<std::int64_t>(arch.layers.size());
  const std::int64_t elements = mla.kv_lora_rank + mla.qk_rope_head_dim;
  const auto total = [&](const KvLayout& layout) {
    return bytes(layer_kv(main, layout).per_token * static_cast<double>(layers));
  };
  json out{
      {"elements_per_token_per_layer", elements},
      {"bf16_bytes_per_token_per_layer", bytes(layer_kv(main, kBf16).per_token)},
      {"layers", layers},
      {"bf16_bytes_per_token", total(kBf16)},
      {"fp8_sparse_flashmla_bytes_per_token_per_layer", bytes(layer_kv(main, kSparse).per_token)},
      {"fp8_flashmla_bytes_per_token", total(kSparse)},
      {"fp8_layout", sparse_layout(mla)},
      {"plain_fp8_no_scale_bytes_per_token", total(kFp8)}};
  out[fmt::format("nvfp4_all_{}_bytes_per_token_hypothetical", elements)] = total(kNvfp4);
  if (arch.num_nextn_predict_layers > 0) {
    out["bf16_bytes_per_token_incl_mtp_layer"] =
        bytes(layer_kv(main, kBf16).per_token *
              static_cast<double>(layers + arch.num_nextn_predict_layers));
  }
  if (mla.indexer.index_topk > 0) add_indexer(arch, mla, out);
  return out;
}

std::string entry_layout(const CompressedSpec& spec, std::int64_t entry) {
  const std::int64_t quantised = spec.head_dim - spec.qk_rope_head_dim;
  const std::int64_t scales = (quantised + 63) / 64;
  const std::int64_t raw = quantised + 2 * spec.qk_rope_head_dim + scales;
  return fmt::format(
      "{} e4m3 + {} bf16 rope ({} B) + {} UE8M0 scales (one per 64) + {} pad = {} B; FlashMLA pads "
      "each page to a multiple of 576 B",
      quantised, spec.qk_rope_head_dim, 2 * spec.qk_rope_head_dim, scales, entry - raw, entry);
}

// Cache entries of one sequence; the fp32 working state is listed apart.
json totals(const ArchSpec& arch) {
  json out = json::object();
  for (const std::int64_t context : {4096, 32768, 131072, 1048576}) {
    const auto total = [&](const KvLayout& layout) {
      return bytes(kv_bytes_per_sequence(arch, layout, context) - state(arch));
    };
    out[std::to_string(context)] = {{"fp8_fp4idx", total(kSparseFp4Index)},
                                    {"fp8_fp8idx", total(kSparse)},
                                    {"bf16", total(kBf16)}};
  }
  return out;
}

json compressed_json(const ArchSpec& arch) {
  CompressedSpec spec = std::get<CompressedSpec>(attention_of(arch, 0));
  for (const LayerSpec& layer : arch.kinds) {
    const auto& other = std::get<CompressedSpec>(layer.attention);
    if (other.indexer.index_topk > 0) spec.indexer = other.indexer;
  }
  spec.indexer.shared = false;
  // One entry and one index key: what a layer of ratio 1 adds per token with and without an
  // indexer.
  spec.compress_ratio = 1;
  CompressedSpec bare = spec;
  bare.indexer = {};
  const auto entry = [&](const KvLayout& l) { return layer_kv(bare, l).per_token; };
  const auto key = [&](const KvLayout& l) { return layer_kv(spec, l).per_token - entry(l); };
  const auto growth = [&](const KvLayout& l) { return bytes(kv_growth_per_token(arch, l)); };
  const auto window = [&](const KvLayout& l) {
    return bytes(entry(l) * static_cast<double>(spec.sliding_window) *
                 static_cast<double>(arch.layers.size()));
  };
  const auto label = [&](std::string_view name, const KvLayout& l, std::string_view index) {
    return fmt::format("{} entry {} B, {} indexer key {} B", name, bytes(entry(l)).dump(), index,
                       bytes(key(l)).dump());
  };
  const std::int64_t dim = spec.indexer.index_head_dim;
  json out{{"entry_elements", spec.head_dim}};
  out["layers"] = {{"csa", count_kind(arch, "csa")},
                   {"hca", count_kind(arch, "hca")},
                   {"window_only", count_kind(arch, "window")}};
  out["asymptotic_bytes_per_token"] = {
      {label("bf16", kBf16, "bf16"), growth(kBf16)},
      {label("FlashMLA fp8", kSparse, "fp8"), growth(kSparse)},
      {label("FlashMLA fp8", kSparseFp4Index, "fp4"), growth(kSparseFp4Index)}};
  out["entry_layout"] = entry_layout(spec, bytes(entry(kSparse)).get<std::int64_t>());
  out["indexer_layout"] =
      fmt::format("fp8: {0} + {1} (fp32 scale) = {2} B; fp4: {3} + {4} (UE8M0 per 32) = {5} B", dim,
                  dim / 128 * 4, bytes(key(kSparse)).dump(), dim / 2, dim / 32,
                  bytes(key(kSparseFp4Index)).dump());
  out["constant_per_request_bytes"] = {{"sliding_window_fp8", window(kSparse)},
                                       {"sliding_window_bf16", window(kBf16)},
                                       {"compressor_state_fp32", bytes(state(arch))}};
  out["total_bytes_at"] = totals(arch);
  out["excludes"] = fmt::format("MTP layer (window-only, adds {} entries)", spec.sliding_window);
  out["total_bytes_at_excludes"] = "compressor_state_fp32";
  return out;
}

// V4.1 (models with few caches that many layers read): only the published quantity.
json shared_cache_json(const ArchSpec& arch) {
  const auto& spec = std::get<CompressedSpec>(attention_of(arch, 0));
  return {{"global_bytes_per_token", bytes(kv_growth_per_token(arch, kNvfp4Fp4Index))},
          {"global_layout", "FP4 entries in groups of 16, FP4 index keys in groups of 32"},
          {"cache_layers", count_layers(arch,
                                        [](const AttentionSpec& a) {
                                          const auto& s = std::get<CompressedSpec>(a);
                                          return s.own_cache && s.compress_ratio > 0;
                                        })},
          {"layers", arch.layers.size()},
          {"sliding_window", fmt::format("{} entries in each of {} layers, constant",
                                         spec.sliding_window, arch.layers.size())}};
}

void add_linear(const ArchSpec& arch, json& out) {
  for (const LayerSpec& layer : arch.kinds) {
    const auto* linear = std::get_if<LinearAttentionSpec>(&layer.attention);
    if (linear == nullptr) continue;
    const std::int64_t keys = linear->linear_num_key_heads * linear->linear_key_head_dim;
    const std::int64_t values = linear->linear_num_value_heads * linear->linear_value_head_dim;
    out["linear_layers"] = count_kind(arch, "linear");
    out["gdn_state_elements_per_linear_layer"] = values * linear->linear_key_head_dim;
    out["conv_state_elements_per_linear_layer"] =
        (linear->linear_conv_kernel_dim - 1) * (2 * keys + values);
  }
}

void add_windows(const ArchSpec& arch, const GqaSpec& local, json& out) {
  const auto layers = static_cast<std::int64_t>(arch.layers.size());
  const std::int64_t sliding = count_kind(arch, "gqa-window");
  const std::int64_t chunked = count_kind(arch, "gqa-chunked");
  if (sliding == layers) {
    out["sliding_window"] = local.sliding_window;
    out["cap_bytes_per_sequence"] = bytes(constant(arch, kBf16));
    return;
  }
  if (sliding > 0) {
    out["full_attention_layers"] = layers - sliding - count_kind(arch, "linear");
    out["sliding_layers"] = sliding;
    out["window"] = local.sliding_window;
  }
  if (chunked > 0) {
    out["chunked_local_layers"] = chunked;
    out["chunk"] = local.attention_chunk_size;
    out["global_nope_layers"] = layers - chunked;
  }
  out["growth_bytes_per_token_bf16"] = bytes(kv_growth_per_token(arch, kBf16));
  out["constant_window_bytes_bf16"] = bytes(constant(arch, kBf16));
}

// Elements per token of each attention kind; one number when all layers with a cache agree.
void add_elements(const ArchSpec& arch, json& out) {
  json by_kind = json::object();
  for (const LayerSpec& layer : arch.kinds) {
    const double elements = layer_kv(layer.attention, kBf16).per_token.value / 2.0;
    if (elements > 0.0) by_kind[std::string(kind_name(layer.attention))] = bytes(elements);
  }
  const bool uniform =
      !by_kind.empty() && std::all_of(by_kind.begin(), by_kind.end(),
                                      [&](const json& e) { return e == by_kind.front(); });
  if (uniform) {
    out["elements_per_token_per_layer"] = by_kind.front();
  } else {
    out["elements_per_token_per_layer_by_kind"] = by_kind;
  }
}

json gqa_json(const ArchSpec& arch) {
  json out{{"bf16_bytes_per_token", bytes(per_token(arch, kBf16))},
           {"fp8_no_scale_bytes_per_token", bytes(per_token(arch, kFp8))},
           {"nvfp4_bytes_per_token", bytes(per_token(arch, kNvfp4))}};
  add_elements(arch, out);
  out["layers"] = arch.layers.size();
  add_linear(arch, out);
  const GqaSpec* local = nullptr;
  for (const LayerSpec& layer : arch.kinds) {
    const auto* gqa = std::get_if<GqaSpec>(&layer.attention);
    if (gqa == nullptr) continue;
    const bool cuts = gqa->sliding_window > 0 || gqa->attention_chunk_size > 0;
    if (cuts) local = gqa;
    if (!cuts && out.contains("linear_layers")) {
      out["kv_heads"] = gqa->num_key_value_heads;
      out["head_dim"] = gqa->head_dim;
      out["full_attention_layers"] =
          static_cast<std::int64_t>(arch.layers.size()) - count_kind(arch, "linear");
    }
  }
  if (local != nullptr) add_windows(arch, *local, out);
  return out;
}

}  // namespace

json kv_cache_json(const ArchSpec& arch) {
  const bool latent = all_of<MlaSpec>(arch);
  const bool compressed = all_of<CompressedSpec>(arch);
  json out = latent               ? mla_json(arch)
             : !compressed        ? gqa_json(arch)
             : arch.kv_cache_only ? shared_cache_json(arch)
                                  : compressed_json(arch);
  const bool indexed = compressed || (latent && out.contains("indexer_layers"));
  out["formats"] = formats(arch, latent || compressed, indexed);
  return out;
}

}  // namespace fathom::model
