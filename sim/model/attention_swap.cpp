#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "model/hf_config.hpp"

namespace fathom::model {
namespace {

struct HeadShape {
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
};

struct ShapeOf {
  HeadShape operator()(const GqaSpec& gqa) const { return {gqa.num_attention_heads, gqa.head_dim}; }
  HeadShape operator()(const MlaSpec& mla) const {
    if (mla.qk_nope_head_dim != mla.v_head_dim) {
      throw InputError(fmt::format(
          "--attention: qk_nope_head_dim = {} and v_head_dim = {} differ; keys and values of the "
          "other kinds have one head_dim",
          mla.qk_nope_head_dim, mla.v_head_dim));
    }
    return {mla.num_attention_heads, mla.qk_nope_head_dim};
  }
  HeadShape operator()(const TpaSpec& tpa) const { return {tpa.num_attention_heads, tpa.head_dim}; }
  HeadShape operator()(const CompressedSpec& spec) const {
    return {spec.num_attention_heads, spec.head_dim};
  }
  HeadShape operator()(const LinearAttentionSpec&) const { return {}; }
};

// The first layer that attends with heads gives the geometry; linear layers of a hybrid follow it.
HeadShape head_shape(const ArchSpec& arch) {
  for (const int kind : arch.layers) {
    const HeadShape shape =
        std::visit(ShapeOf{}, arch.kinds[static_cast<std::size_t>(kind)].attention);
    if (shape.heads > 0) return shape;
  }
  throw InputError("--attention: no layer of the model has attention heads to keep");
}

AttentionSpec make_gqa(const HeadShape& shape, std::int64_t kv_heads) {
  if (kv_heads < 1 || kv_heads > shape.heads || shape.heads % kv_heads != 0) {
    throw InputError(fmt::format("--attention gqa-{}: does not divide num_attention_heads = {}",
                                 kv_heads, shape.heads));
  }
  return GqaSpec{.num_attention_heads = shape.heads,
                 .num_key_value_heads = kv_heads,
                 .head_dim = shape.head_dim};
}

// DeepSeek's proportions (V2 report, section 3.1.2: d_c = 4 d_h, d_h^R = d_h / 2, d_c' = 3 d_c);
// queries are compressed from hidden_size 4096 on, as V2 does and V2-Lite does not.
MlaSpec make_mla(const ArchSpec& arch, const HeadShape& shape) {
  const std::int64_t kv_lora_rank = 4 * shape.head_dim;
  return {.num_attention_heads = shape.heads,
          .q_lora_rank = arch.hidden_size >= 4096 ? 3 * kv_lora_rank : 0,
          .kv_lora_rank = kv_lora_rank,
          .qk_nope_head_dim = shape.head_dim,
          .qk_rope_head_dim = shape.head_dim / 2,
          .v_head_dim = shape.head_dim};
}

// A model that is MLA already keeps its own ranks.
MlaSpec keep_or_make_mla(const ArchSpec& arch) {
  const auto& first = arch.kinds[static_cast<std::size_t>(arch.layers.front())].attention;
  if (const auto* mla = std::get_if<MlaSpec>(&first)) {
    MlaSpec kept = *mla;
    kept.indexer = {};
    return kept;
  }
  return make_mla(arch, head_shape(arch));
}

// V3.2's indexer. It reads compressed queries, so it brings their compression along.
MlaSpec with_indexer(MlaSpec mla) {
  if (mla.q_lora_rank == 0) mla.q_lora_rank = 3 * mla.kv_lora_rank;
  mla.indexer = {.index_n_heads = 64, .index_head_dim = 128, .index_topk = 2048};
  return mla;
}

// V4-Pro's proportions and order (its config.json): one shared key-value vector of 4 d_h, output
// groups of 8 heads, a window of 128, layers that alternate between blocks of 128 (HCA) and
// overlapping blocks of 4 with an indexer (CSA) from the third on; an MTP module has the window
// only.
constexpr std::size_t kMtpLayer = static_cast<std::size_t>(-1);

AttentionSpec compressed(const ArchSpec& arch, std::size_t layer) {
  const HeadShape shape = head_shape(arch);
  if (shape.heads % 8 != 0) {
    throw InputError(fmt::format("--attention csa+hca: num_attention_heads = {} are no groups of 8",
                                 shape.heads));
  }
  CompressedSpec spec{.num_attention_heads = shape.heads,
                      .head_dim = 4 * shape.head_dim,
                      .q_lora_rank = 12 * shape.head_dim,
                      .qk_rope_head_dim = shape.head_dim / 2,
                      .o_groups = shape.heads / 8,
                      .o_lora_rank = 1024,
                      .sliding_window = 128};
  if (layer == kMtpLayer) return spec;
  const bool overlapping = layer >= 2 && layer % 2 == 0;
  spec.compress_ratio = overlapping ? 4 : 128;
  if (overlapping) spec.indexer = {.index_n_heads = 64, .index_head_dim = 128, .index_topk = 1024};
  return spec;
}

// A model that is compressed already keeps its own layers.
AttentionSpec keep_or_make_compressed(const ArchSpec& arch, std::size_t layer) {
  const AttentionSpec& own =
      layer == kMtpLayer ? arch.mtp_layer.attention
                         : arch.kinds[static_cast<std::size_t>(arch.layers[layer])].attention;
  return std::holds_alternative<CompressedSpec>(own) ? own : compressed(arch, layer);
}

AttentionSpec replacement(const ArchSpec& arch, std::string_view attention, std::size_t layer) {
  if (attention == "csa+hca") return keep_or_make_compressed(arch, layer);
  if (attention == "mla") return keep_or_make_mla(arch);
  if (attention == "mla+dsa") return with_indexer(keep_or_make_mla(arch));
  const HeadShape shape = head_shape(arch);
  if (attention == "mha") return make_gqa(shape, shape.heads);
  if (attention == "mqa") return make_gqa(shape, 1);
  // The ranks of the TPA report (arXiv 2501.06425, recalled).
  if (attention == "tpa") {
    return TpaSpec{.num_attention_heads = shape.heads,
                   .head_dim = shape.head_dim,
                   .q_rank = 6,
                   .k_rank = 2,
                   .v_rank = 2};
  }
  if (attention.starts_with("gqa-")) {
    const std::string_view digits = attention.substr(4);
    std::int64_t groups = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), groups);
    if (error == std::errc{} && end == digits.data() + digits.size())
      return make_gqa(shape, groups);
  }
  constexpr std::array<std::string_view, 7> known{"mha",     "mqa",     "gqa-8", "mla",
                                                  "mla+dsa", "csa+hca", "tpa"};
  throw InputError(
      fmt::format("--attention: '{}'; expected mha, mqa, gqa-N, mla, mla+dsa, csa+hca or tpa{}",
                  attention, did_you_mean(attention, known)));
}

}  // namespace

ArchSpec with_attention(const ArchSpec& arch, std::string_view attention) {
  if (arch.kv_cache_only) {
    throw InputError("--attention: this model describes only its KV cache");
  }
  ArchSpec out = arch;
  out.kinds.clear();
  out.layers.clear();
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    LayerSpec layer = arch.kinds[static_cast<std::size_t>(arch.layers[i])];
    layer.attention = replacement(arch, attention, i);
    const auto found = std::ranges::find(out.kinds, layer);
    out.layers.push_back(static_cast<int>(found - out.kinds.begin()));
    if (found == out.kinds.end()) out.kinds.push_back(layer);
  }
  if (out.mtp_kind != MtpKind::none) {
    out.mtp_layer.attention = replacement(arch, attention, kMtpLayer);
  }
  out.name = arch.name + "+" + std::string(attention);
  return out;
}

}  // namespace fathom::model
