#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

void check_heads(const JsonReader& in, std::int64_t heads, std::int64_t kv_heads) {
  if (kv_heads > heads) {
    in.fail("num_key_value_heads",
            fmt::format("{} is more than num_attention_heads = {}", kv_heads, heads));
  }
  if (heads % kv_heads != 0) {
    in.fail("num_key_value_heads",
            fmt::format("{} does not divide num_attention_heads = {}", kv_heads, heads));
  }
}

std::int64_t read_head_dim(const HfContext& context, std::int64_t heads) {
  if (context.in.has("head_dim")) return dimension(context.in, "head_dim");
  context.in.ignore("head_dim");
  if (context.family.head_dim > 0) return context.family.head_dim;
  if (context.hidden_size % heads != 0) {
    context.in.fail("num_attention_heads",
                    fmt::format("{} does not divide hidden_size = {} and head_dim is absent", heads,
                                context.hidden_size));
  }
  return context.hidden_size / heads;
}

// q, k and v; Qwen2 has them without saying so, Qwen2-MoE says qkv_bias.
void read_biases(const HfContext& context, GqaSpec& gqa) {
  JsonReader& in = context.in;
  const Family& family = context.family;
  if (family.model_type.starts_with("qwen2")) {
    in.ignore("attention_bias");
    gqa.qkv_bias = in.boolean_or("qkv_bias", true);
    return;
  }
  gqa.qkv_bias = in.boolean_or(spelling(in, {"attention_bias", "qkv_bias"}), family.qkv_bias);
  gqa.o_bias = gqa.qkv_bias && family.o_bias;
}

void read_qk_norm(const HfContext& context, GqaSpec& gqa) {
  JsonReader& in = context.in;
  gqa.qk_norm = context.family.qk_norm;
  if (!in.has("use_qk_norm")) return;
  const bool use = in.boolean("use_qk_norm");
  // Llama-4 normalises without weights, so nothing is stored and nothing is counted.
  if (context.family.schedule == LayerSchedule::chunked) return;
  constexpr std::array<std::string_view, 2> kinds{"per_head", "per_layer"};
  const bool full_width = in.choice_or("qk_norm_type", kinds, 0) == 1;
  gqa.qk_norm = use && !full_width;
  gqa.qk_norm_full_width = use && full_width;
}

std::int64_t read_window(const HfContext& context, bool needed) {
  JsonReader& in = context.in;
  const bool listed = in.has("layer_types");
  in.ignore("sliding_window_size");  // Gemma-2 repeats sliding_window under this name
  if (in.has_null("sliding_window")) {
    in.ignore("sliding_window");
    return 0;
  }
  if (!needed) {
    in.ignore("sliding_window");
    return 0;
  }
  if (context.family.sliding_window > 0) {
    return in.integer_or("sliding_window", context.family.sliding_window, 1, kMaxPositions);
  }
  // Absent without a default means none (Mixtral), but not where layer_types asks for it.
  if (!listed) return in.integer_or("sliding_window", 0, 1, kMaxPositions);
  return in.integer("sliding_window", 1, kMaxPositions);
}

LinearAttentionSpec read_linear(JsonReader& in) {
  LinearAttentionSpec linear{
      .linear_num_key_heads = dimension(in, "linear_num_key_heads"),
      .linear_key_head_dim = dimension(in, "linear_key_head_dim"),
      .linear_num_value_heads = dimension(in, "linear_num_value_heads"),
      .linear_value_head_dim = dimension(in, "linear_value_head_dim"),
      .linear_conv_kernel_dim = dimension(in, "linear_conv_kernel_dim"),
  };
  if (linear.linear_num_value_heads % linear.linear_num_key_heads != 0) {
    in.fail("linear_num_value_heads",
            fmt::format("{} is no multiple of linear_num_key_heads = {}",
                        linear.linear_num_value_heads, linear.linear_num_key_heads));
  }
  return linear;
}

// gemma-4: full layers have their own geometry, and no v projection.
GqaSpec global_layer(const HfContext& context, const GqaSpec& local) {
  JsonReader& in = context.in;
  GqaSpec full = local;
  if (context.family.moe != MoeStyle::gemma4) return full;
  full.head_dim = dimension_or(in, "global_head_dim", local.head_dim);
  full.num_key_value_heads =
      dimension_or(in, "num_global_key_value_heads", local.num_key_value_heads);
  full.k_eq_v = in.boolean_or("attention_k_eq_v", false);
  check_heads(in, full.num_attention_heads, full.num_key_value_heads);
  return full;
}

std::vector<AttentionSpec> read_gqa(HfContext& context) {
  JsonReader& in = context.in;
  const std::vector<LayerType> types = read_layer_types(context);
  const auto uses = [&](LayerType type) { return std::ranges::count(types, type) > 0; };
  GqaSpec local;
  const Family& family = context.family;
  local.num_attention_heads = family.heads > 0
                                  ? dimension_or(in, "num_attention_heads", family.heads)
                                  : dimension(in, "num_attention_heads");
  const std::int64_t kv_default = family.kv_heads > 0 ? family.kv_heads : local.num_attention_heads;
  local.num_key_value_heads = dimension_or(in, "num_key_value_heads", kv_default);
  check_heads(in, local.num_attention_heads, local.num_key_value_heads);
  local.head_dim = read_head_dim(context, local.num_attention_heads);
  read_biases(context, local);
  read_qk_norm(context, local);
  local.sinks = context.family.model_type == "gpt_oss";
  local.output_gate = context.family.output_gate && in.boolean_or("attn_output_gate", true);
  const std::int64_t window = read_window(context, uses(LayerType::sliding));
  const bool chunked = context.family.schedule == LayerSchedule::chunked;
  const std::int64_t chunk = chunked ? dimension_or(in, "attention_chunk_size", 8192) : 0;
  LinearAttentionSpec linear;
  if (uses(LayerType::linear)) linear = read_linear(in);
  GqaSpec full = global_layer(context, local);
  // Llama-4's global layers have no positions; a file without chunks has only such layers.
  full.rope = !chunked;

  std::vector<AttentionSpec> attention;
  for (const LayerType type : types) {
    GqaSpec layer = type == LayerType::full ? full : local;
    if (type == LayerType::sliding) layer.sliding_window = window;
    if (type == LayerType::chunked) layer.attention_chunk_size = chunk;
    if (type == LayerType::linear) {
      attention.emplace_back(linear);
    } else {
      attention.emplace_back(layer);
    }
  }
  return attention;
}

IndexerSpec read_indexer(JsonReader& in) {
  return {.index_n_heads = dimension(in, "index_n_heads"),
          .index_head_dim = dimension(in, "index_head_dim"),
          .index_topk = dimension(in, "index_topk")};
}

// GLM-5.2 runs the indexer in some layers and reuses its choice in the others.
std::vector<bool> read_shared_indexers(HfContext& context) {
  JsonReader& in = context.in;
  std::vector<bool> shared(static_cast<std::size_t>(context.num_hidden_layers), false);
  in.ignore({"index_skip_topk_offset", "index_topk_pattern", "index_share_for_mtp_iteration"});
  const std::int64_t freq = dimension_or(in, "index_topk_freq", 1);
  if (!in.has("indexer_types")) {
    if (freq > 1) {
      in.fail("index_topk_freq", fmt::format("{} without indexer_types; expected the list that "
                                             "says which layers run an indexer",
                                             freq));
    }
    return shared;
  }
  const std::vector<std::string> types = in.strings("indexer_types");
  expect_one_per_layer(context, "indexer_types", types.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] != "full" && types[i] != "shared") {
      in.fail("indexer_types", fmt::format("'{}' at {}; expected full or shared", types[i], i));
    }
    shared[i] = types[i] == "shared";
  }
  if (shared.front()) in.fail("indexer_types", "shared at 0; no earlier layer has an indexer");
  return shared;
}

std::vector<AttentionSpec> read_mla(HfContext& context) {
  JsonReader& in = context.in;
  // head_dim repeats one of the parts here, not always the same one; the parts are what counts.
  in.ignore({"head_dim", "layer_types"});
  MlaSpec mla{
      .num_attention_heads = dimension(in, "num_attention_heads"),
      .q_lora_rank = in.integer_or("q_lora_rank", 0, 0, kMaxDimension),
      .kv_lora_rank = dimension(in, "kv_lora_rank"),
      .qk_nope_head_dim = dimension(in, "qk_nope_head_dim"),
      .qk_rope_head_dim = dimension(in, "qk_rope_head_dim"),
      .v_head_dim = dimension(in, "v_head_dim"),
  };
  const std::int64_t kv_heads = dimension_or(in, "num_key_value_heads", mla.num_attention_heads);
  if (kv_heads != mla.num_attention_heads) {
    in.fail("num_key_value_heads",
            fmt::format("{}; MLA expands its latent for every one of num_attention_heads = {}",
                        kv_heads, mla.num_attention_heads));
  }
  if (in.boolean_or("attention_bias", false)) {
    in.fail("attention_bias", "true; biases of MLA projections are not modelled");
  }
  std::vector<bool> shared(static_cast<std::size_t>(context.num_hidden_layers), false);
  if (in.has("index_topk")) {
    mla.indexer = read_indexer(in);
    if (mla.q_lora_rank == 0) {
      in.fail("q_lora_rank", "absent; the indexer takes its queries from the compressed ones");
    }
    shared = read_shared_indexers(context);
  }
  std::vector<AttentionSpec> attention;
  for (const bool share : shared) {
    attention.emplace_back(mla);
    std::get<MlaSpec>(attention.back()).indexer.shared = share;
  }
  return attention;
}

// V4.1: a few layers compress, the others read what they left.
void read_cache_owners(HfContext& context, std::vector<AttentionSpec>& attention) {
  JsonReader& in = context.in;
  const std::int64_t last = context.num_hidden_layers - 1;
  const auto owners = in.integers("compressor_layers", 0, last);
  const auto indexed = in.integers("indexer_layers", 0, last);
  for (std::int64_t i = 0; i <= last; ++i) {
    auto& layer = std::get<CompressedSpec>(attention[static_cast<std::size_t>(i)]);
    layer.own_cache = std::ranges::count(owners, i) > 0;
    if (std::ranges::count(indexed, i) == 0) layer.indexer = {};
    layer.indexer.shared = layer.indexer.index_topk > 0 && !layer.own_cache;
  }
}

std::vector<AttentionSpec> read_compressed(HfContext& context) {
  JsonReader& in = context.in;
  CompressedSpec base;
  base.num_attention_heads = dimension(in, "num_attention_heads");
  if (const std::int64_t kv = dimension_or(in, "num_key_value_heads", 1); kv != 1) {
    in.fail("num_key_value_heads", fmt::format("{}; one vector serves all heads, expected 1", kv));
  }
  if (in.boolean_or("attention_bias", false)) {
    in.fail("attention_bias", "true; biases of V4 projections are not modelled");
  }
  base.head_dim = dimension(in, "head_dim");
  base.q_lora_rank = dimension(in, "q_lora_rank");
  base.qk_rope_head_dim = in.integer("qk_rope_head_dim", 1, base.head_dim);
  base.o_groups = dimension(in, "o_groups");
  base.o_lora_rank = dimension(in, "o_lora_rank");
  base.sliding_window = dimension(in, "sliding_window");
  if (base.num_attention_heads % base.o_groups != 0) {
    in.fail("o_groups", fmt::format("{} does not divide num_attention_heads = {}", base.o_groups,
                                    base.num_attention_heads));
  }
  const IndexerSpec indexer = read_indexer(in);
  const auto ratios = in.integers("compress_ratios", 0, kMaxDimension);
  const auto layers = static_cast<std::size_t>(context.num_hidden_layers);
  const auto drafts = static_cast<std::size_t>(in.integer_or("num_nextn_predict_layers", 0, 0, 64));
  if (ratios.size() != layers && ratios.size() != layers + drafts) {
    in.fail("compress_ratios",
            fmt::format("{} entries; expected num_hidden_layers = {} or one more per MTP layer",
                        ratios.size(), layers));
  }
  const bool lists_owners = context.family.model_type == "deepseek_v41";
  std::vector<AttentionSpec> attention;
  for (std::size_t i = 0; i < layers; ++i) {
    CompressedSpec layer = base;
    layer.compress_ratio = ratios[i];
    // The reference code overlaps blocks and indexes them exactly where the ratio is 4.
    if (ratios[i] == 4 || lists_owners) layer.indexer = indexer;
    attention.emplace_back(layer);
  }
  if (lists_owners) read_cache_owners(context, attention);
  return attention;
}

}  // namespace

std::vector<AttentionSpec> read_attention(HfContext& context) {
  switch (context.family.attention) {
    case AttentionStyle::gqa:
      return read_gqa(context);
    case AttentionStyle::mla:
      return read_mla(context);
    case AttentionStyle::compressed:
      return read_compressed(context);
    case AttentionStyle::gpt:
      break;
  }
  FATHOM_EXPECT(false, "GPT configurations have their own reader");
}

}  // namespace fathom::model
