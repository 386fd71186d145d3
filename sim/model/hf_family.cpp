#include "model/hf_family.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom::model {
namespace {

using A = AttentionStyle;
using S = LayerSchedule;
using M = MoeStyle;

// Defaults follow the configuration classes of Hugging Face transformers and, for DeepSeek, the
// published modelling code. One row per model_type; a row is all that a new family of a known
// shape needs.
constexpr std::array kFamilies{
    Family{.model_type = "llama", .architecture = "Llama"},
    Family{.model_type = "mistral",
           .architecture = "Mistral",
           .schedule = S::window,
           .sliding_window = 4096},
    Family{.model_type = "mixtral",
           .architecture = "Mixtral",
           .schedule = S::window,
           .moe = M::every_layer,
           .intermediate_is_expert = true},
    Family{.model_type = "qwen2",
           .architecture = "Qwen2",
           .schedule = S::upper,
           .qkv_bias = true,
           .o_bias = false},
    Family{.model_type = "qwen2_moe",
           .architecture = "Qwen2Moe",
           .schedule = S::upper,
           .moe = M::qwen,
           .qkv_bias = true,
           .o_bias = false},
    Family{.model_type = "qwen3",
           .architecture = "Qwen3",
           .schedule = S::upper,
           .qk_norm = true,
           .head_dim = 128},
    Family{.model_type = "qwen3_moe",
           .architecture = "Qwen3Moe",
           .schedule = S::upper,
           .moe = M::qwen,
           .qk_norm = true},
    Family{.model_type = "qwen3_next",
           .architecture = "Qwen3Next",
           .schedule = S::interval,
           .moe = M::qwen,
           .qk_norm = true,
           .output_gate = true,
           .head_dim = 256},
    Family{.model_type = "qwen3_5_text",
           .architecture = "Qwen3_5",
           .schedule = S::interval,
           .qk_norm = true,
           .output_gate = true,
           .head_dim = 256},
    Family{.model_type = "qwen3_5_moe_text",
           .architecture = "Qwen3_5Moe",
           .schedule = S::interval,
           .moe = M::qwen,
           .qk_norm = true,
           .output_gate = true,
           .head_dim = 256},
    Family{.model_type = "gemma", .architecture = "Gemma", .tied = true, .head_dim = 256},
    Family{.model_type = "gemma2",
           .architecture = "Gemma2",
           .schedule = S::alternating,
           .tied = true,
           .norms = 4,
           .head_dim = 256,
           .sliding_window = 4096},
    Family{.model_type = "gemma3_text",
           .architecture = "Gemma3",
           .schedule = S::pattern,
           .tied = true,
           .qk_norm = true,
           .norms = 4,
           .head_dim = 256,
           .heads = 8,
           .kv_heads = 4,
           .vocab_size = 262208,
           .sliding_window = 4096},
    // Seven norms: four around the two sublayers, three more where experts run beside the FFN.
    Family{.model_type = "gemma4_text",
           .architecture = "Gemma4",
           .schedule = S::pattern,
           .moe = M::gemma4,
           .tied = true,
           .qk_norm = true,
           .norms = 4,
           .head_dim = 256,
           .vocab_size = 262144,
           .sliding_window = 512},
    Family{.model_type = "gpt_oss",
           .architecture = "GptOss",
           .schedule = S::alternating,
           .moe = M::every_layer,
           .qkv_bias = true,
           .intermediate_is_expert = true,
           .head_dim = 64,
           .sliding_window = 128},
    Family{.model_type = "minimax_m2",
           .architecture = "MiniMaxM2",
           .moe = M::every_layer,
           .intermediate_is_expert = true,
           .score = GateScore::sigmoid},
    Family{.model_type = "llama4_text",
           .architecture = "Llama4",
           .schedule = S::chunked,
           .moe = M::llama4,
           .intermediate_is_expert = true,
           .score = GateScore::sigmoid,
           .head_dim = 128},
    Family{.model_type = "glm4_moe",
           .architecture = "Glm4Moe",
           .moe = M::deepseek,
           .o_bias = false,
           .score = GateScore::sigmoid},
    Family{.model_type = "deepseek", .architecture = "Deepseek", .moe = M::deepseek},
    Family{.model_type = "deepseek_v2",
           .architecture = "DeepseekV2",
           .attention = A::mla,
           .moe = M::deepseek},
    Family{.model_type = "deepseek_v3",
           .architecture = "DeepseekV3",
           .attention = A::mla,
           .moe = M::deepseek,
           .score = GateScore::sigmoid},
    Family{.model_type = "kimi_k2",
           .architecture = "DeepseekV3",
           .attention = A::mla,
           .moe = M::deepseek,
           .score = GateScore::sigmoid},
    Family{.model_type = "deepseek_v32",
           .architecture = "DeepseekV32",
           .attention = A::mla,
           .moe = M::deepseek,
           .score = GateScore::sigmoid},
    Family{.model_type = "glm_moe_dsa",
           .architecture = "GlmMoeDsa",
           .attention = A::mla,
           .moe = M::deepseek,
           .score = GateScore::sigmoid},
    Family{.model_type = "deepseek_v4",
           .architecture = "DeepseekV4",
           .attention = A::compressed,
           .moe = M::v4,
           .score = GateScore::sqrtsoftplus},
    Family{.model_type = "deepseek_v41",
           .architecture = "DeepseekV41",
           .attention = A::compressed,
           .moe = M::v4,
           .score = GateScore::sqrtsoftplus},
    Family{.model_type = "gpt2", .architecture = "GPT2", .attention = A::gpt, .tied = true},
    Family{.model_type = "gpt_bigcode",
           .architecture = "GPTBigCode",
           .attention = A::gpt,
           .tied = true},
    Family{.model_type = "falcon", .architecture = "Falcon", .attention = A::gpt, .tied = true},
};

// Class names end in the task; only generation has the head we count.
std::string_view stem(std::string_view architecture) {
  for (const std::string_view task : {"ForCausalLM", "ForConditionalGeneration", "LMHeadModel"}) {
    if (architecture.ends_with(task))
      return architecture.substr(0, architecture.size() - task.size());
  }
  return {};
}

const Family* by_model_type(std::string_view model_type) {
  const auto* const found = std::ranges::find(kFamilies, model_type, &Family::model_type);
  return found == kFamilies.end() ? nullptr : found;
}

const Family* by_architecture(std::string_view architecture) {
  const std::string_view name = stem(architecture);
  const auto* const found = std::ranges::find(kFamilies, name, &Family::architecture);
  return name.empty() || found == kFamilies.end() ? nullptr : found;
}

std::string list_of(std::span<const std::string_view> names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

[[noreturn]] void unknown_model(std::string_view model_type, std::string_view where) {
  std::vector<std::string_view> known;
  known.reserve(std::size(kFamilies));
  for (const Family& family : kFamilies) known.push_back(family.model_type);
  throw InputError(fmt::format("{}/model_type: '{}' is no architecture we model{}; known: {}",
                               where, model_type, did_you_mean(model_type, known), list_of(known)));
}

[[noreturn]] void unknown_architecture(std::string_view architecture, std::string_view where) {
  std::vector<std::string> names;
  names.reserve(std::size(kFamilies));
  for (const Family& family : kFamilies) {
    names.push_back(std::string(family.architecture) + "ForCausalLM");
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  throw InputError(fmt::format("{}/architectures/0: '{}' is no architecture we model{}", where,
                               architecture, did_you_mean(architecture, known)));
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& find_family(const nlohmann::json& config, std::string_view where) {
  const auto text = [&](const nlohmann::json& value, std::string_view key) {
    if (value.is_string()) return value.get<std::string>();
    throw InputError(fmt::format("{}/{}: {}; expected a string", where, key, value.dump()));
  };
  std::string architecture;
  if (const auto list = config.find("architectures"); list != config.end() && !list->is_null()) {
    if (!list->is_array() || list->size() != 1) {
      throw InputError(fmt::format("{}/architectures: {}; expected one class name in a list", where,
                                   list->dump()));
    }
    architecture = text(list->front(), "architectures/0");
  }
  std::string model_type;
  if (const auto type = config.find("model_type"); type != config.end() && !type->is_null()) {
    model_type = text(*type, "model_type");
  }
  if (model_type.empty() && architecture.empty()) {
    throw InputError(fmt::format("{}: neither model_type nor architectures; expected one", where));
  }
  const Family* const typed = by_model_type(model_type);
  const Family* const classed = by_architecture(architecture);
  // A checkpoint re-published under another model_type keeps its class name, and the reverse
  // (Kimi-K2 is a DeepseekV3ForCausalLM), so either may name the family; an unknown class may not.
  if (classed == nullptr && !architecture.empty()) unknown_architecture(architecture, where);
  if (typed != nullptr) return *typed;
  if (classed == nullptr) unknown_model(model_type, where);
  return *classed;
}

}  // namespace fathom::model
