#pragma once
// The shipped models at dimensions that run in milliseconds.

#include <string>
#include <vector>

#include "model/hf_config.hpp"

namespace fathom::proof::test {

inline model::ArchSpec small(const std::string& name, const std::vector<std::string>& sets) {
  const std::string file = std::string{FATHOM_SOURCE_DIR} + "/models/" + name + ".json";
  return model::load_model(file, {.sets = sets}).arch;
}

inline std::vector<std::string> mla_sets() {
  return {"hidden_size=64",        "num_hidden_layers=3",      "intermediate_size=96",
          "num_attention_heads=4", "num_key_value_heads=4",    "vocab_size=100",
          "kv_lora_rank=128",      "qk_nope_head_dim=32",      "qk_rope_head_dim=32",
          "v_head_dim=48",         "moe_intermediate_size=64", "n_routed_experts=16",
          "num_experts_per_tok=4"};
}

/// Compressed queries, sigmoid router with groups and a selection bias, shared expert, MTP.
inline model::ArchSpec small_v3() {
  std::vector<std::string> sets = mla_sets();
  sets.insert(sets.end(),
              {"q_lora_rank=80", "first_k_dense_replace=1", "n_group=4", "topk_group=2"});
  return small("deepseek-v3", sets);
}

/// Uncompressed queries, softmax router, two shared experts.
inline model::ArchSpec small_v2_lite() { return small("deepseek-v2-lite", mla_sets()); }

inline std::vector<std::string> gqa_sets() {
  return {"hidden_size=96",        "num_hidden_layers=2", "num_attention_heads=6",
          "num_key_value_heads=2", "head_dim=32",         "intermediate_size=128",
          "vocab_size=100"};
}
inline model::ArchSpec small_qwen3() { return small("qwen3-8b", gqa_sets()); }  // q and k normed
inline model::ArchSpec small_llama() { return small("llama-3.1-8b", gqa_sets()); }

}  // namespace fathom::proof::test
