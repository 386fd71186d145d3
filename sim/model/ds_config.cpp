#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "model/hf_reader.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

struct Renamed {
  std::string_view ours;  // in inference/config.json
  std::string_view hf;    // empty: cannot change cost
};

constexpr Renamed kNames[] = {
    {"vocab_size", "vocab_size"},
    {"dim", "hidden_size"},
    {"inter_dim", "intermediate_size"},
    {"moe_inter_dim", "moe_intermediate_size"},
    {"n_layers", "num_hidden_layers"},
    {"n_dense_layers", "first_k_dense_replace"},
    {"n_hash_layers", "num_hash_layers"},
    {"n_heads", "num_attention_heads"},
    {"n_routed_experts", "n_routed_experts"},
    {"n_shared_experts", "n_shared_experts"},
    {"n_activated_experts", "num_experts_per_tok"},
    {"n_expert_groups", "n_group"},
    {"n_limited_groups", "topk_group"},
    {"score_func", "scoring_func"},
    {"route_scale", ""},
    {"swiglu_limit", ""},
    {"q_lora_rank", "q_lora_rank"},
    {"kv_lora_rank", "kv_lora_rank"},
    {"qk_nope_head_dim", "qk_nope_head_dim"},
    {"qk_rope_head_dim", "qk_rope_head_dim"},
    {"v_head_dim", "v_head_dim"},
    {"head_dim", "head_dim"},
    {"rope_head_dim", "qk_rope_head_dim"},
    {"o_groups", "o_groups"},
    {"o_lora_rank", "o_lora_rank"},
    {"window_size", "sliding_window"},
    {"index_n_heads", "index_n_heads"},
    {"index_head_dim", "index_head_dim"},
    {"index_topk", "index_topk"},
    {"hc_mult", "hc_mult"},
    {"hc_sinkhorn_iters", ""},
    {"hc_eps", ""},
    {"norm_eps", ""},
    {"expert_dtype", "expert_dtype"},
    {"compress_ratios", "compress_ratios"},
    {"n_mtp_layers", "num_nextn_predict_layers"},
    {"compress_rope_theta", ""},
    {"mscale", ""},
    {"beta_fast", ""},
    {"beta_slow", ""},
    {"max_batch_size", ""},
    {"max_seq_len", ""},
    {"scale_dtype", ""},
    // read below
    {"dtype", ""},
    {"scale_fmt", ""},
    {"original_seq_len", ""},
    {"rope_factor", ""},
    {"rope_theta", ""},
};

json renamed(const json& config, std::string_view where) {
  json out = json::object();
  for (const auto& item : config.items()) {
    const auto* const found = std::ranges::find(kNames, item.key(), &Renamed::ours);
    if (found == std::end(kNames)) {
      std::vector<std::string_view> known;
      for (const Renamed& name : kNames) known.push_back(name.ours);
      throw InputError(fmt::format("{}: unknown key '{}'{}", where, item.key(),
                                   did_you_mean(item.key(), known)));
    }
    if (!found->hf.empty()) out[found->hf] = item.value();
  }
  return out;
}

// The defaults of the reference code: YaRN by 40 from 4096 tokens.
void add_rope(const json& config, json& out) {
  const json original = config.value("original_seq_len", json(4096));
  const json factor = config.value("rope_factor", json(40));
  out["rope_theta"] = config.value("rope_theta", json(10000));
  out["rope_scaling"] = {
      {"type", "yarn"}, {"factor", factor}, {"original_max_position_embeddings", original}};
  if (original.is_number_integer() && factor.is_number_integer()) {
    out["max_position_embeddings"] = original.get<std::int64_t>() * factor.get<std::int64_t>();
  }
}

}  // namespace

bool is_ds_config(const json& config) {
  return config.is_object() && config.contains("dim") && config.contains("n_layers");
}

json from_ds_config(const json& config, std::string_view where) {
  json out = renamed(config, where);
  const bool v4 = config.contains("compress_ratios");
  const bool sigmoid = config.value("score_func", json("softmax")) == "sigmoid";
  out["model_type"] = v4                              ? "deepseek_v4"
                      : config.contains("index_topk") ? "deepseek_v32"
                      : sigmoid                       ? "deepseek_v3"
                                                      : "deepseek_v2";
  if (!v4) {
    // 0 is this schema's null; the selection bias came with sigmoid scores.
    out["scoring_func"] = config.value("score_func", json("softmax"));
    const bool grouped = config.value("n_expert_groups", json(1)) != 1;
    out["topk_method"] = sigmoid ? "noaux_tc" : grouped ? "group_limited_greedy" : "greedy";
  }
  if (v4 && !config.contains("n_mtp_layers")) out["num_nextn_predict_layers"] = 1;
  out["torch_dtype"] = "bfloat16";
  if (config.value("dtype", json("bf16")) == "fp8") {
    out["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}};
    if (config.contains("scale_fmt")) out["quantization_config"]["scale_fmt"] = config["scale_fmt"];
  }
  add_rope(config, out);
  return out;
}

}  // namespace fathom::model
