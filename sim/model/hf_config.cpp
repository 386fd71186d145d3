#include "model/hf_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "lang/say.hpp"
#include "model/config_keys.hpp"
#include "model/hf_family.hpp"
#include "model/hf_reader.hpp"
#include "model/tensors.hpp"

namespace fathom::model {
namespace {

using lang::say;
using nlohmann::json;

struct Tower {
  std::string_view key;
  std::string_view name;
};
constexpr std::array<Tower, 2> kTowers{{{"vision_config", "vision"}, {"audio_config", "audio"}}};

void remove_towers(json& config, std::string_view where, const ReadOptions& options,
                   std::vector<std::string>& unmodelled) {
  for (const Tower& tower : kTowers) {
    const auto found = config.find(tower.key);
    if (found == config.end()) continue;
    if (!found->is_null() && !options.text_only) {
      throw InputError(fmt::format("{}/{}: the {} tower is not modelled; --text-only leaves it out",
                                   where, tower.key, tower.name));
    }
    if (!found->is_null()) unmodelled.push_back(say("{} tower ({})", tower.name, tower.key));
    config.erase(found);
  }
}

// Multimodal files keep the language model in text_config and a few of its fields outside.
json language_model(json outer, std::string& where) {
  const auto text = outer.find("text_config");
  if (text == outer.end() || text->is_null()) return outer;
  if (!text->is_object()) {
    throw InputError(fmt::format("{}/text_config: {}; expected an object", where, text->dump()));
  }
  json inner = *text;
  const auto inherit = [&](std::string_view key) {
    if (!inner.contains(key) && outer.contains(key)) inner[key] = outer[key];
  };
  // The inner type knows best what the text model is; the outer class names the multimodal shell.
  if (!inner.contains("model_type")) inherit("architectures");
  for (const std::string_view key : {"model_type", "tie_word_embeddings", "quantization_config"}) {
    inherit(key);
  }
  if (!inner.contains("torch_dtype") && !inner.contains("dtype")) {
    inherit("torch_dtype");
    inherit("dtype");
  }
  where += "/text_config";
  return inner;
}

std::int64_t read_mtp(JsonReader& in, const Family& family, ArchSpec& arch) {
  std::int64_t modules =
      in.integer_or(spelling(in, {"num_nextn_predict_layers", "mtp_num_hidden_layers"}), 0, 0, 64);
  // The released MiniMax-M2 weights have no such modules although the file describes them.
  const bool described = in.boolean_or("use_mtp", false);
  const std::int64_t absent = in.integer_or("num_mtp_modules", 0);
  in.ignore("mtp_transformer_layers");
  if (described && absent > 0) {
    arch.unmodelled.push_back(
        say("{} MTP modules (num_mtp_modules): not among the released weights", absent));
  }
  if (modules == 0) return 0;
  arch.num_nextn_predict_layers = modules;
  arch.mtp_kind = family.attention == AttentionStyle::compressed ? MtpKind::v4 : MtpKind::v3;
  arch.mtp_stores_copies = arch.mtp_kind == MtpKind::v3 && family.moe == MoeStyle::deepseek;
  return modules;
}

// The block inside an MTP module is built like the last layer, with everything it needs of its own.
LayerSpec mtp_block(const ArchSpec& arch) {
  LayerSpec block = arch.kinds[static_cast<std::size_t>(arch.layers.back())];
  if (auto* mla = std::get_if<MlaSpec>(&block.attention)) mla->indexer.shared = false;
  if (auto* compressed = std::get_if<CompressedSpec>(&block.attention)) {
    compressed->compress_ratio = 0;
    compressed->indexer = {};
  }
  block.moe.hash_routed = false;
  return block;
}

ArchSpec parse_layers(JsonReader& in, const Family& family) {
  ArchSpec arch;
  HfContext context{in, family, dimension(in, "hidden_size"),
                    in.integer("num_hidden_layers", 1, 4096)};
  arch.hidden_size = context.hidden_size;
  arch.vocab_size = family.vocab_size > 0
                        ? in.integer_or("vocab_size", family.vocab_size, 1, kMaxVocabulary)
                        : in.integer("vocab_size", 1, kMaxVocabulary);
  // 131072 is the documented default of the one family that leaves it out (Gemma-3).
  arch.max_position_embeddings = in.integer_or("max_position_embeddings", 131072, 1, kMaxPositions);
  arch.tie_word_embeddings = in.boolean_or("tie_word_embeddings", family.tied);
  arch.hc_mult = in.integer_or("hc_mult", 1, 1, 64);
  const std::vector<AttentionSpec> attention = read_attention(context);
  const std::vector<FfnSpec> ffn = read_ffn(context);
  for (std::size_t i = 0; i < attention.size(); ++i) {
    LayerSpec layer{attention[i], ffn[i].dense, ffn[i].moe, family.norms};
    // gemma-4 norms both parallel branches after, and the experts' input before.
    if (family.moe == MoeStyle::gemma4 && layer.moe.n_routed_experts > 0) layer.norms += 3;
    add_layer(arch, layer);
  }
  if (read_mtp(in, family, arch) > 0) arch.mtp_layer = mtp_block(arch);
  return arch;
}

// V4.1: what we know of it is its cache.
void check_cache_only(JsonReader& in, const Family& family, ArchSpec& arch) {
  arch.kv_cache_only = in.boolean_or("kv_cache_only", false);
  if (family.model_type != "deepseek_v41") {
    if (arch.kv_cache_only) in.fail("kv_cache_only", "true; only deepseek_v41 is read this way");
    return;
  }
  if (!arch.kv_cache_only) {
    in.fail("kv_cache_only",
            "absent; Engram tables, the DSpark draft model and the causal encoder / decoder of "
            "deepseek_v41 are not modelled, expected true (KV cache only)");
  }
  for (const std::string_view part : {"Engram lookup tables", "DSpark draft model",
                                      "causal encoder / decoder split", "compressor state"}) {
    arch.unmodelled.emplace_back(part);
  }
}

// Every dimension is in range, but their products may still be no model anyone could count.
void check_size(const ArchSpec& arch, const std::string& where) {
  double elements = 0.0;
  for (const Tensor& tensor : all_tensors(arch)) {
    const std::int64_t layers = tensor.kind < 0 ? 1 : layer_count(arch, tensor.kind);
    elements += static_cast<double>(tensor.elements()) * static_cast<double>(layers);
  }
  if (elements < 1e17) return;
  throw InputError(fmt::format("{}: the dimensions give {:.1e} parameters; expected below 1e17",
                               where, elements));
}

ArchSpec parse_text_model(const json& config, const std::string& where,
                          std::vector<std::string> unmodelled) {
  const Family& family = find_family(config, where);
  JsonReader in{config, where};
  ignore_costless(in, config);
  in.ignore({"architectures", "model_type"});
  ArchSpec arch = family.attention == AttentionStyle::gpt ? parse_gpt_config(in, family)
                                                          : parse_layers(in, family);
  arch.rope = family.attention == AttentionStyle::gpt ? arch.rope : read_rope(in);
  check_cache_only(in, family, arch);
  arch.checkpoint = read_checkpoint_format(in, unmodelled);
  arch.model_type = family.model_type;
  arch.name = family.model_type;
  arch.unmodelled.insert(arch.unmodelled.begin(), unmodelled.begin(), unmodelled.end());
  in.finish();
  check_size(arch, where);
  return arch;
}

}  // namespace

std::string_view spelling(JsonReader& in, std::initializer_list<std::string_view> aliases) {
  std::string_view chosen;
  for (const std::string_view alias : aliases) {
    if (in.has_null(alias)) in.ignore(alias);
    if (!in.has(alias)) continue;
    if (!chosen.empty() && in.raw(alias) != in.raw(chosen)) {
      in.fail(alias, fmt::format("{} contradicts {} = {}", in.raw(alias).dump(), chosen,
                                 in.raw(chosen).dump()));
    }
    in.ignore(alias);
    if (chosen.empty()) chosen = alias;
  }
  return chosen.empty() ? *aliases.begin() : chosen;
}

void add_layer(ArchSpec& arch, const LayerSpec& layer) {
  const auto found = std::ranges::find(arch.kinds, layer);
  arch.layers.push_back(static_cast<int>(found - arch.kinds.begin()));
  if (found == arch.kinds.end()) arch.kinds.push_back(layer);
}

ArchSpec parse_hf_config(const json& config, std::string_view where, const ReadOptions& options) {
  if (!config.is_object()) {
    throw InputError(fmt::format("{}: {}; expected an object", where, config.type_name()));
  }
  std::string shown(where);
  json outer = apply_sets(config, options.sets, where);
  if (is_ds_config(outer)) outer = from_ds_config(outer, where);
  check_keys(outer, shown);
  json text = language_model(outer, shown);
  if (shown != where) check_keys(text, shown);
  std::vector<std::string> unmodelled;
  remove_towers(outer, where, options, unmodelled);
  remove_towers(text, where, options, unmodelled);
  ArchSpec arch = parse_text_model(text, shown, std::move(unmodelled));
  return options.attention.empty() ? arch : with_attention(arch, options.attention);
}

}  // namespace fathom::model
