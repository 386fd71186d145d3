#include <array>
#include <nlohmann/json.hpp>

#include "model/arch_spec.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

json to_json(const IndexerSpec& indexer) {
  return {{"index_n_heads", indexer.index_n_heads},
          {"index_head_dim", indexer.index_head_dim},
          {"index_topk", indexer.index_topk},
          {"shared", indexer.shared}};
}

json fields(const GqaSpec& gqa) {
  return {{"num_attention_heads", gqa.num_attention_heads},
          {"num_key_value_heads", gqa.num_key_value_heads},
          {"head_dim", gqa.head_dim},
          {"sliding_window", gqa.sliding_window},
          {"attention_chunk_size", gqa.attention_chunk_size},
          {"qkv_bias", gqa.qkv_bias},
          {"o_bias", gqa.o_bias},
          {"qk_norm", gqa.qk_norm || gqa.qk_norm_full_width},
          {"qk_norm_full_width", gqa.qk_norm_full_width},
          {"sinks", gqa.sinks},
          {"output_gate", gqa.output_gate},
          {"k_eq_v", gqa.k_eq_v},
          {"rope", gqa.rope}};
}

json fields(const MlaSpec& mla) {
  json out{{"num_attention_heads", mla.num_attention_heads},
           {"q_lora_rank", mla.q_lora_rank},
           {"kv_lora_rank", mla.kv_lora_rank},
           {"qk_nope_head_dim", mla.qk_nope_head_dim},
           {"qk_rope_head_dim", mla.qk_rope_head_dim},
           {"v_head_dim", mla.v_head_dim}};
  if (mla.indexer.index_topk > 0) out["indexer"] = to_json(mla.indexer);
  return out;
}

json fields(const CompressedSpec& spec) {
  json out{{"num_attention_heads", spec.num_attention_heads},
           {"head_dim", spec.head_dim},
           {"q_lora_rank", spec.q_lora_rank},
           {"qk_rope_head_dim", spec.qk_rope_head_dim},
           {"o_groups", spec.o_groups},
           {"o_lora_rank", spec.o_lora_rank},
           {"sliding_window", spec.sliding_window},
           {"compress_ratio", spec.compress_ratio},
           {"own_cache", spec.own_cache}};
  if (spec.indexer.index_topk > 0) out["indexer"] = to_json(spec.indexer);
  return out;
}

json fields(const LinearAttentionSpec& linear) {
  return {{"linear_num_key_heads", linear.linear_num_key_heads},
          {"linear_key_head_dim", linear.linear_key_head_dim},
          {"linear_num_value_heads", linear.linear_num_value_heads},
          {"linear_value_head_dim", linear.linear_value_head_dim},
          {"linear_conv_kernel_dim", linear.linear_conv_kernel_dim}};
}

json fields(const TpaSpec& tpa) {
  return {{"num_attention_heads", tpa.num_attention_heads},
          {"head_dim", tpa.head_dim},
          {"q_rank", tpa.q_rank},
          {"k_rank", tpa.k_rank},
          {"v_rank", tpa.v_rank}};
}

json to_json(const MoeSpec& moe) {
  constexpr std::array<const char*, 3> scores{"softmax", "sigmoid", "sqrtsoftplus"};
  return {{"n_routed_experts", moe.n_routed_experts},
          {"num_experts_per_tok", moe.num_experts_per_tok},
          {"moe_intermediate_size", moe.moe_intermediate_size},
          {"n_shared_experts", moe.n_shared_experts},
          {"shared_intermediate_size", moe.shared_intermediate_size},
          {"shared_expert_gate", moe.shared_expert_gate},
          {"scoring_func", scores[static_cast<std::size_t>(moe.scoring_func)]},
          {"n_group", moe.n_group},
          {"topk_group", moe.topk_group},
          {"selection_bias", moe.selection_bias},
          {"hash_routed", moe.hash_routed},
          {"router_bias", moe.router_bias},
          {"expert_bias", moe.expert_bias},
          {"router_scale", moe.router_scale}};
}

json to_json(const LayerSpec& layer) {
  json out{{"norms", layer.norms}};
  out["attention"] = std::visit([](const auto& spec) { return fields(spec); }, layer.attention);
  out["attention"]["kind"] = kind_name(layer.attention);
  if (layer.dense.intermediate_size > 0) {
    out["dense_ffn"] = {{"intermediate_size", layer.dense.intermediate_size},
                        {"gated", layer.dense.gated},
                        {"bias", layer.dense.bias}};
  }
  if (layer.moe.n_routed_experts > 0) out["moe"] = to_json(layer.moe);
  return out;
}

struct KindName {
  std::string_view operator()(const GqaSpec& gqa) const {
    if (gqa.sliding_window > 0) return "gqa-window";
    if (gqa.attention_chunk_size > 0) return "gqa-chunked";
    if (gqa.num_key_value_heads == gqa.num_attention_heads) return "mha";
    return gqa.num_key_value_heads == 1 ? "mqa" : "gqa";
  }
  std::string_view operator()(const MlaSpec& mla) const {
    return mla.indexer.index_topk > 0 ? "mla+dsa" : "mla";
  }
  std::string_view operator()(const CompressedSpec& spec) const {
    if (spec.compress_ratio == 0) return "window";
    return spec.indexer.index_topk > 0 ? "csa" : "hca";
  }
  std::string_view operator()(const LinearAttentionSpec&) const { return "linear"; }
  std::string_view operator()(const TpaSpec&) const { return "tpa"; }
};

}  // namespace

std::string_view kind_name(const AttentionSpec& attention) {
  return std::visit(KindName{}, attention);
}

json to_json(const ArchSpec& arch) {
  json out{{"name", arch.name},
           {"model_type", arch.model_type},
           {"hidden_size", arch.hidden_size},
           {"vocab_size", arch.vocab_size},
           {"max_position_embeddings", arch.max_position_embeddings},
           {"tie_word_embeddings", arch.tie_word_embeddings},
           {"layer_norm_bias", arch.layer_norm_bias},
           {"learned_positions", arch.learned_positions},
           {"hc_mult", arch.hc_mult},
           {"num_hidden_layers", arch.layers.size()},
           {"layers", arch.layers},
           {"num_nextn_predict_layers", arch.num_nextn_predict_layers},
           {"unmodelled", arch.unmodelled}};
  out["kinds"] = json::array();
  for (const LayerSpec& layer : arch.kinds) out["kinds"].push_back(to_json(layer));
  if (arch.mtp_kind != MtpKind::none) out["mtp_layer"] = to_json(arch.mtp_layer);
  if (arch.kv_cache_only) out["kv_cache_only"] = true;
  out["rope"] = {{"type", arch.rope.type},
                 {"rope_theta", arch.rope.rope_theta},
                 {"factor", arch.rope.factor},
                 {"original_max_position_embeddings", arch.rope.original_max_position_embeddings}};
  out["checkpoint"] = {{"linear", name(arch.checkpoint.linear)},
                       {"experts", name(arch.checkpoint.experts)},
                       {"other", name(arch.checkpoint.other)}};
  return out;
}

}  // namespace fathom::model
