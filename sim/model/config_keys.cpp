#include "model/config_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace fathom::model {
namespace {

// Kept by topic; a key belongs here only when no value of it changes FLOPs, bytes or messages.
constexpr std::string_view kIgnored[] = {
    // identity and tooling
    "_name_or_path", "auto_map", "transformers_version", "tokenizer_class", "finetuning_task",
    "task_specific_params", "problem_type", "id2label", "label2id", "name_or_path",
    "_attn_implementation", "_attn_implementation_autoset", "attn_implementation",
    "cache_implementation", "torchscript", "use_cache", "return_dict", "return_dict_in_generate",
    "output_attentions", "output_hidden_states", "output_scores", "output_router_logits",
    "num_logits_to_keep", "use_bfloat16", "tf_legacy_loss", "prefix", "pruned_heads", "is_decoder",
    "tie_encoder_decoder", "chunk_size_feed_forward", "_commit_hash", "inference_runner",
    "pad_key_length", "pre_allocate_kv_cache", "validate_runner_input", "max_sequence_length",
    "max_batch_size", "for_llm_compressor", "mup_denom", "unsloth_version", "unsloth_fixed",
    "kv_cache_dtype",
    // tokens
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "bad_words_ids",
    "begin_suppress_tokens", "suppress_tokens", "image_token_id", "image_token_index",
    "video_token_id", "video_token_index", "audio_token_id", "vision_token_id",
    "vision_start_token_id", "vision_end_token_id", "boi_token_id", "boi_token_index",
    "eoi_token_id", "eoi_token_index", "boa_token_id", "eoa_token_id", "eoa_token_index",
    "boa_token_index", "media_placeholder_token_id", "image_placeholder", "mm_tokens_per_image",
    "ignore_index", "vision_soft_tokens_per_image", "vocab_size_per_layer_input",
    // sampling
    "do_sample", "early_stopping", "temperature", "top_k", "top_p", "typical_p", "num_beams",
    "num_beam_groups", "num_return_sequences", "repetition_penalty", "length_penalty",
    "diversity_penalty", "exponential_decay_length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "max_length", "min_length", "remove_invalid_values",
    // initialisation, dropout, losses
    "initializer_range", "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop",
    "attn_pdrop", "residual_dropout", "embedding_dropout", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
    "aux_loss_alpha", "seq_aux", "router_aux_loss_coef", "router_z_loss_coef",
    "router_jitter_noise", "rms_norm_eps", "norm_eps", "layer_norm_eps", "layer_norm_epsilon",
    "hc_eps", "pretraining_tp", "ep_size", "classifier_dropout",
    // of towers and their projectors, and of layers that no released model has
    "projector_hidden_act", "multimodal_projector_bias", "spatial_merge_size",
    "vision_feature_layer", "vision_feature_select_strategy", "image_seq_length",
    "mlp_intermediate_size", "shared_moe_mode", "layernorm_full_attention_beta",
    "layernorm_linear_attention_beta", "layernorm_mlp_beta",
    // elementwise details inside operators that are counted anyway
    "hidden_act", "hidden_activation", "activation_function", "swiglu_limit", "swiglu_alpha",
    "attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar",
    "routed_scaling_factor", "norm_topk_prob", "scale_attn_weights", "attention_softmax_in_fp32",
    "scale_attention_softmax_in_fp32", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn",
    "attn_temperature_tuning", "attn_scale", "floor_scale", "hc_sinkhorn_iters", "moe_router_dtype",
    "mamba_ssm_dtype", "apply_residual_connection_post_layernorm", "embedding_multiplier",
    "logits_scaling", "use_bidirectional_attention",
    // position encoding: which channels turn, not how many there are
    "partial_rotary_factor", "rotary_dim", "rope_interleave", "indexer_rope_interleave",
    "rope_local_base_freq", "compress_rope_theta", "initial_context_length", "qk_head_dim", "alibi",
    "rope_pct", "use_mrope"};

constexpr std::string_view kRead[] = {
    "architectures", "model_type", "text_config", "vision_config", "audio_config", "hidden_size",
    "vocab_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "max_position_embeddings", "tie_word_embeddings", "torch_dtype", "dtype",
    "quantization_config", "expert_dtype", "rope_theta", "rope_scaling", "rope_parameters",
    "attention_bias", "qkv_bias", "mlp_bias", "use_qk_norm", "qk_norm_type", "attn_output_gate",
    "sliding_window", "sliding_window_size", "sliding_window_pattern", "_sliding_window_pattern",
    "use_sliding_window", "max_window_layers", "layer_types", "full_attention_interval",
    "attention_chunk_size", "no_rope_layers", "no_rope_layer_interval", "attention_k_eq_v",
    "global_head_dim", "num_global_key_value_heads", "linear_num_key_heads", "linear_key_head_dim",
    "linear_num_value_heads", "linear_value_head_dim", "linear_conv_kernel_dim", "q_lora_rank",
    "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "index_n_heads",
    "index_head_dim", "index_topk", "indexer_types", "index_topk_freq", "index_skip_topk_offset",
    "index_topk_pattern", "index_share_for_mtp_iteration", "o_groups", "o_lora_rank",
    "compress_ratios", "compressor_layers", "indexer_layers", "kv_cache_only", "hc_mult",
    "num_hash_layers", "n_routed_experts", "num_experts", "num_local_experts",
    "num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts",
    "moe_intermediate_size", "intermediate_size_mlp", "n_shared_experts", "num_shared_experts",
    "shared_expert_intermediate_size", "shared_intermediate_size", "first_k_dense_replace",
    "moe_layer_freq", "mlp_layer_types", "decoder_sparse_step", "mlp_only_layers",
    "interleave_moe_layer_step", "moe_layers", "scoring_func", "topk_method", "n_group",
    "topk_group", "use_routing_bias", "enable_moe_block", "num_nextn_predict_layers",
    "mtp_num_hidden_layers", "mtp_use_dedicated_embeddings", "use_mtp", "num_mtp_modules",
    "mtp_transformer_layers",
    // GPT-2, GPT-BigCode and Falcon
    "n_embd", "n_layer", "n_head", "n_inner", "n_positions", "n_ctx", "multi_query", "bias",
    "parallel_attn", "new_decoder_architecture", "num_kv_heads", "num_ln_in_parallel_attn",
    "ffn_hidden_size"};

struct Refused {
  std::string_view key;
  std::string_view part;
};

// A value that switches the part off (null, false, 0, empty) is fine.
constexpr Refused kRefused[] = {
    {"hybrid_override_pattern", "Mamba-2 layers"},
    {"mamba_num_heads", "Mamba-2 layers"},
    {"ssm_state_size", "state-space layers"},
    {"mamba_d_state", "Mamba layers"},
    {"attn_layer_period", "Mamba layers between attention layers"},
    {"linear_attn_config", "Kimi delta attention"},
    {"attn_type_list", "lightning attention"},
    {"attn_res_block_size", "attention residuals"},
    {"routed_expert_hidden_size", "latent experts"},
    {"sparse_attention_config", "block-sparse attention"},
    {"mla_use_nope", "MLA without position encoding"},
    {"mla_use_output_gate", "the output gate of MLA"},
    {"attention_output_gate", "the attention output gate"},
    {"hidden_size_per_layer_input", "per-layer input embeddings"},
    {"num_kv_shared_layers", "layers that reuse another layer's KV cache"},
    {"use_double_wide_mlp", "double-width FFN layers"},
    {"altup_num_inputs", "AltUp streams"},
    {"laurel_rank", "LAuReL branches"},
    {"cross_attention_layers", "cross attention"},
    {"add_cross_attention", "cross attention"},
    {"cross_attention_hidden_size", "cross attention"},
    {"is_encoder_decoder", "an encoder"},
    {"zero_expert_num", "zero-computation experts"},
    {"mtp_use_dedicated_embeddings", "an embedding of the MTP module's own"},
};
constexpr Refused kRefusedPrefixes[] = {
    {"engram", "Engram lookup tables"},
    {"dspark", "the DSpark draft model"},
    {"mamba_", "Mamba layers"},
    {"encoder_", "the causal encoder"},
};

bool off(const std::string& key, const nlohmann::json& value) {
  // MiniMax lists 1 for a softmax layer and 0 for a lightning one; M2 has ones only.
  if (key == "attn_type_list" && value.is_array()) {
    return std::ranges::all_of(value, [](const nlohmann::json& type) { return type == 1; });
  }
  return value.is_null() || value == false || value == 0 ||
         ((value.is_array() || value.is_object()) && value.empty());
}

bool contains(std::span<const std::string_view> list, std::string_view key) {
  return std::ranges::find(list, key) != list.end();
}

// The part that `key` belongs to; empty when it belongs to none.
std::string_view refused_part(std::string_view key) {
  const auto* const exact = std::ranges::find(kRefused, key, &Refused::key);
  if (exact != std::end(kRefused)) return exact->part;
  if (is_known_key(key)) return {};
  const auto* const prefix = std::ranges::find_if(
      kRefusedPrefixes, [key](const Refused& r) { return key.starts_with(r.key); });
  return prefix == std::end(kRefusedPrefixes) ? std::string_view{} : prefix->part;
}

std::string shortened(const nlohmann::json& value) {
  const std::string text = value.dump();
  return text.size() <= 40 ? text : text.substr(0, 37) + "...";
}

}  // namespace

std::span<const std::string_view> ignored_keys() { return kIgnored; }
std::span<const std::string_view> read_keys() { return kRead; }

bool is_known_key(std::string_view key) { return contains(kIgnored, key) || contains(kRead, key); }

void check_keys(const nlohmann::json& object, std::string_view where) {
  for (const auto& item : object.items()) {
    const std::string_view part = refused_part(item.key());
    if (part.empty() || off(item.key(), item.value())) continue;
    throw InputError(fmt::format("{}/{}: {}; this switches on {}, which we do not model", where,
                                 item.key(), shortened(item.value()), part));
  }
  for (const auto& item : object.items()) {
    if (is_known_key(item.key()) || !refused_part(item.key()).empty()) continue;
    std::vector<std::string_view> known(std::begin(kRead), std::end(kRead));
    known.insert(known.end(), std::begin(kIgnored), std::end(kIgnored));
    throw InputError(
        fmt::format("{}: unknown key '{}'{}", where, item.key(), did_you_mean(item.key(), known)));
  }
}

void ignore_costless(JsonReader& in, const nlohmann::json& object) {
  for (const std::string_view key : kIgnored) in.ignore(key);
  for (const Refused& refused : kRefused) in.ignore(refused.key);
  for (const auto& item : object.items()) {
    const bool part_switched_off = !refused_part(item.key()).empty();
    if (item.value().is_null() || part_switched_off) in.ignore(item.key());
  }
}

}  // namespace fathom::model
