#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "model/arch_spec.hpp"

namespace fathom::model {

/// Which reader understands the attention fields.
enum class AttentionStyle : std::uint8_t { gqa, mla, compressed, gpt };

/// Which layers are local when the file has no `layer_types`: the defaults of the modelling code.
enum class LayerSchedule : std::uint8_t {
  full,         // every layer sees everything
  window,       // sliding_window, when set, in every layer (Mistral)
  upper,        // use_sliding_window: layers from max_window_layers on (Qwen2, Qwen3)
  alternating,  // even layers slide (Gemma-2, gpt-oss)
  pattern,      // every sliding_window_pattern-th layer is full (Gemma-3)
  interval,     // every full_attention_interval-th layer is full, the others linear (Qwen3-Next)
  chunked,      // every fourth layer is global without RoPE, the others chunked (Llama-4)
};

/// How experts are declared.
enum class MoeStyle : std::uint8_t { none, deepseek, qwen, every_layer, llama4, v4, gemma4 };

/// What modelling code fixes for all models of one `model_type`, that is, what no config.json says.
struct Family {
  std::string_view model_type;
  std::string_view architecture;  // class name without ForCausalLM
  AttentionStyle attention = AttentionStyle::gqa;
  LayerSchedule schedule = LayerSchedule::full;
  MoeStyle moe = MoeStyle::none;
  bool tied = false;                     // default of tie_word_embeddings
  bool qkv_bias = false;                 // default of attention_bias (or qkv_bias) for q, k and v
  bool o_bias = true;                    // attention_bias covers the output projection too
  bool qk_norm = false;                  // RMSNorm of head_dim on q and on k
  bool output_gate = false;              // the q projection carries an output gate
  bool intermediate_is_expert = false;   // intermediate_size is the width of one expert
  GateScore score = GateScore::softmax;  // default of scoring_func
  std::int64_t norms = 2;
  std::int64_t head_dim = 0;        // default of head_dim; 0: hidden_size / num_attention_heads
  std::int64_t heads = 0;           // default of num_attention_heads; 0: required
  std::int64_t kv_heads = 0;        // default of num_key_value_heads; 0: as many as heads
  std::int64_t vocab_size = 0;      // default; 0: required
  std::int64_t sliding_window = 0;  // default when the key is absent
};

/// By `model_type`, else by `architectures`; InputError naming the nearest known model otherwise.
const Family& find_family(const nlohmann::json& config, std::string_view where);
std::span<const Family> families();

}  // namespace fathom::model
