#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

// Decoders from before SwiGLU and RMSNorm: LayerNorm with bias, two FFN matrices, one kind of
// layer.
struct GptShape {
  GqaSpec attention;
  DenseFfnSpec ffn;
  std::int64_t layers = 0;
  std::int64_t norms = 2;
};

std::int64_t head_dim_of(JsonReader& in, std::string_view heads_key, std::int64_t hidden,
                         std::int64_t heads) {
  if (in.has("head_dim")) return dimension(in, "head_dim");
  if (hidden % heads != 0) {
    in.fail(heads_key, fmt::format("{} does not divide the width {}", heads, hidden));
  }
  return hidden / heads;
}

// GPT-2 (and GPT-3, the same blocks) and GPT-BigCode, which shares one key-value head.
GptShape read_gpt(JsonReader& in, ArchSpec& arch) {
  const std::string_view hidden = spelling(in, {"n_embd", "hidden_size"});
  const std::string_view layers = spelling(in, {"n_layer", "num_hidden_layers"});
  const std::string_view heads = spelling(in, {"n_head", "num_attention_heads"});
  const std::string_view positions =
      spelling(in, {"n_positions", "n_ctx", "max_position_embeddings"});
  arch.hidden_size = dimension(in, hidden);
  arch.max_position_embeddings = in.integer(positions, 1, kMaxVocabulary);
  arch.learned_positions = arch.max_position_embeddings;
  arch.rope.type = "learned";
  GptShape shape;
  shape.layers = in.integer(layers, 1, 4096);
  GqaSpec& attention = shape.attention;
  attention.num_attention_heads = dimension(in, heads);
  attention.num_key_value_heads =
      in.boolean_or("multi_query", false) ? 1 : attention.num_attention_heads;
  attention.head_dim = head_dim_of(in, heads, arch.hidden_size, attention.num_attention_heads);
  attention.qkv_bias = attention.o_bias = true;
  attention.rope = false;
  const std::int64_t inner =
      dimension_or(in, spelling(in, {"n_inner", "intermediate_size"}), 4 * arch.hidden_size);
  shape.ffn = {.intermediate_size = inner, .gated = false, .bias = true};
  return shape;
}

// Falcon: attention and FFN side by side, one norm for both (7B) or one each (40B, 180B).
GptShape read_falcon(JsonReader& in, ArchSpec& arch) {
  arch.hidden_size = dimension(in, "hidden_size");
  arch.max_position_embeddings = in.integer_or("max_position_embeddings", 2048, 1, kMaxPositions);
  arch.rope.rope_theta = in.number_or("rope_theta", 10000.0, 1.0, 1e12);
  GptShape shape;
  shape.layers = in.integer("num_hidden_layers", 1, 4096);
  const bool grouped = in.boolean_or("new_decoder_architecture", false);
  const bool single = in.boolean_or("multi_query", true);
  const bool parallel = in.boolean_or("parallel_attn", true);
  const bool bias = in.boolean_or("bias", false);
  GqaSpec& attention = shape.attention;
  attention.num_attention_heads = dimension(in, "num_attention_heads");
  const std::int64_t kv_heads = dimension_or(in, "num_kv_heads", attention.num_attention_heads);
  attention.num_key_value_heads = grouped ? kv_heads : single ? 1 : attention.num_attention_heads;
  if (attention.num_attention_heads % attention.num_key_value_heads != 0) {
    in.fail("num_kv_heads", fmt::format("{} does not divide num_attention_heads = {}", kv_heads,
                                        attention.num_attention_heads));
  }
  attention.head_dim =
      head_dim_of(in, "num_attention_heads", arch.hidden_size, attention.num_attention_heads);
  attention.qkv_bias = attention.o_bias = bias;
  const std::int64_t inner = dimension_or(in, "ffn_hidden_size", 4 * arch.hidden_size);
  shape.ffn = {.intermediate_size = inner, .gated = false, .bias = bias};
  const std::int64_t grouped_norms = in.integer_or("num_ln_in_parallel_attn", 2, 1, 2);
  shape.norms = grouped ? grouped_norms : parallel ? 1 : 2;
  return shape;
}

}  // namespace

ArchSpec parse_gpt_config(JsonReader& in, const Family& family) {
  ArchSpec arch;
  const GptShape shape = family.model_type == "falcon" ? read_falcon(in, arch) : read_gpt(in, arch);
  arch.vocab_size = in.integer("vocab_size", 1, kMaxVocabulary);
  arch.tie_word_embeddings = in.boolean_or("tie_word_embeddings", family.tied);
  arch.layer_norm_bias = true;
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    add_layer(arch, LayerSpec{shape.attention, shape.ffn, {}, shape.norms});
  }
  return arch;
}

}  // namespace fathom::model
