#pragma once
// Inner parts of parse_hf_config, split by topic.

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_reader.hpp"
#include "model/arch_spec.hpp"
#include "model/hf_family.hpp"

namespace fathom::model {

/// What every part of the reader needs: the open object, the family's rules and the two sizes that
/// everything else is checked against.
struct HfContext {
  JsonReader& in;
  const Family& family;
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
};

/// No dimension is larger. With it a weight matrix of any layer fits an int64 with room to sum.
inline constexpr std::int64_t kMaxDimension = INT64_C(1) << 19;
inline constexpr std::int64_t kMaxVocabulary = INT64_C(1) << 24;
inline constexpr std::int64_t kMaxPositions = INT64_C(1) << 36;

inline std::int64_t dimension(JsonReader& in, std::string_view key) {
  return in.integer(key, 1, kMaxDimension);
}
inline std::int64_t dimension_or(JsonReader& in, std::string_view key, std::int64_t fallback) {
  return in.integer_or(key, fallback, 1, kMaxDimension);
}

/// What one layer sees of the context.
enum class LayerType : std::uint8_t { full, sliding, chunked, linear };

struct FfnSpec {
  DenseFfnSpec dense;
  MoeSpec moe;
};

/// The first of several spellings of one field that is present; two with different values are an
/// error, none gives the first spelling.
std::string_view spelling(JsonReader& in, std::initializer_list<std::string_view> aliases);

/// One entry per layer, each.
std::vector<LayerType> read_layer_types(HfContext& context);
std::vector<AttentionSpec> read_attention(HfContext& context);
std::vector<FfnSpec> read_ffn(HfContext& context);

/// A list with one entry per layer; InputError with both lengths otherwise.
void expect_one_per_layer(const HfContext& context, std::string_view key, std::size_t found);

/// torch_dtype, quantization_config and expert_dtype. Single layers kept in another format are
/// counted with their class and named in `unmodelled`.
CheckpointFormat read_checkpoint_format(JsonReader& in, std::vector<std::string>& unmodelled);
RopeSpec read_rope(JsonReader& in);

/// GPT-2, GPT-BigCode and Falcon, whose dimensions have other names and whose layers are LayerNorm.
ArchSpec parse_gpt_config(JsonReader& in, const Family& family);

/// DeepSeek's own inference/config.json (dim, n_layers, ...) under Hugging Face names.
bool is_ds_config(const nlohmann::json& config);
nlohmann::json from_ds_config(const nlohmann::json& config, std::string_view where);

/// ReadOptions::sets on a copy of the configuration.
nlohmann::json apply_sets(nlohmann::json config, const std::vector<std::string>& sets,
                          std::string_view where);

/// Appends a layer, sharing the kind of an equal one.
void add_layer(ArchSpec& arch, const LayerSpec& layer);

}  // namespace fathom::model
