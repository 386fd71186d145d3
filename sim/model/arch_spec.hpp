#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "core/dtype.hpp"

namespace fathom::model {

// Dimensions carry their Hugging Face field names. Nothing here knows about batches, GPUs or time.

/// DeepSeek-V3.2's lightning indexer (V3.2-Exp report, section 2): scores every key with a few
/// cheap FP8 heads, keeps top-k.
struct IndexerSpec {
  std::int64_t index_n_heads = 0;   // H_I
  std::int64_t index_head_dim = 0;  // d_I
  std::int64_t index_topk = 0;
  bool shared = false;  // takes the selection of an earlier layer (GLM-5.2 `indexer_types`): no
                        // weights, keys or scores of its own
  bool operator==(const IndexerSpec&) const = default;
};

/// MHA, GQA and MQA are one family: num_key_value_heads = heads, fewer, or 1.
struct GqaSpec {
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t sliding_window = 0;        // 0: none; else a token sees at most this many
  std::int64_t attention_chunk_size = 0;  // 0: none; else local to the current chunk (Llama-4)
  bool qkv_bias = false;
  bool o_bias = false;
  bool qk_norm = false;  // RMSNorm weights of head_dim on q and on k (Qwen3)
  bool qk_norm_full_width =
      false;           // ... of the full projection width instead (MiniMax-M2 `per_layer`)
  bool sinks = false;  // one learned logit per head (gpt-oss)
  bool output_gate =
      false;  // the q projection is twice as wide, half of it gates the output (Qwen3-Next)
  bool k_eq_v =
      false;  // no v projection: values are the keys (gemma-4 full layers); both are still cached
  bool rope = true;
  bool operator==(const GqaSpec&) const = default;
};

/// Multi-head latent attention (DeepSeek-V2 report, section 2.1), with DSA when index_topk > 0.
struct MlaSpec {
  std::int64_t num_attention_heads = 0;  // n_h
  std::int64_t q_lora_rank =
      0;  // d_c'; 0: queries are not compressed (V2-Lite, null in the config)
  std::int64_t kv_lora_rank = 0;  // d_c
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;  // d_h^R
  std::int64_t v_head_dim = 0;
  IndexerSpec indexer;  // index_topk = 0: dense attention
  bool operator==(const MlaSpec&) const = default;
};

/// DeepSeek-V4 attention: shared-KV MQA over one `head_dim` vector, a window, and per layer a
/// compressor of ratio m: 0 window only, 4 CSA (overlapping blocks + indexer), 128 HCA (dense over
/// blocks).
struct CompressedSpec {
  std::int64_t num_attention_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t q_lora_rank = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t o_groups = 0;
  std::int64_t o_lora_rank = 0;
  std::int64_t sliding_window = 0;
  std::int64_t compress_ratio = 0;
  bool own_cache = true;  // false: reads blocks that an earlier layer compressed (V4.1)
  IndexerSpec indexer;    // only in layers of the overlapping kind (CSA)
  bool operator==(const CompressedSpec&) const = default;
};

/// Gated DeltaNet (Qwen3-Next, Qwen3.5): a fixed state per sequence instead of a cache.
struct LinearAttentionSpec {
  std::int64_t linear_num_key_heads = 0;
  std::int64_t linear_key_head_dim = 0;
  std::int64_t linear_num_value_heads = 0;
  std::int64_t linear_value_head_dim = 0;
  std::int64_t linear_conv_kernel_dim = 0;
  bool operator==(const LinearAttentionSpec&) const = default;
};

/// Tensor product attention (arXiv 2501.06425): K, V and Q as sums of R rank-one head x dim
/// factors.
struct TpaSpec {
  std::int64_t num_attention_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t q_rank = 0;
  std::int64_t k_rank = 0;
  std::int64_t v_rank = 0;
  bool operator==(const TpaSpec&) const = default;
};

using AttentionSpec = std::variant<GqaSpec, MlaSpec, CompressedSpec, LinearAttentionSpec, TpaSpec>;

struct DenseFfnSpec {
  std::int64_t intermediate_size = 0;
  bool gated = true;  // SwiGLU or GeGLU: three matrices; false: two (GPT-3)
  bool bias = false;
  bool operator==(const DenseFfnSpec&) const = default;
};

enum class GateScore : std::uint8_t { softmax, sigmoid, sqrtsoftplus };

/// Routed experts (top-k of n), optionally shared ones that see every token.
struct MoeSpec {
  std::int64_t n_routed_experts = 0;
  std::int64_t num_experts_per_tok = 0;
  std::int64_t moe_intermediate_size = 0;
  std::int64_t n_shared_experts = 0;
  std::int64_t shared_intermediate_size =
      0;  // of all shared experts together; 0 when there are none
  bool shared_expert_gate =
      false;  // d x 1 sigmoid gate on the shared expert (Qwen2-MoE, Qwen3-Next)
  GateScore scoring_func = GateScore::softmax;
  std::int64_t n_group = 1;     // expert groups of node-limited routing; 1: none
  std::int64_t topk_group = 1;  // groups a token may use
  bool selection_bias = false;  // e_score_correction_bias (V3)
  bool hash_routed = false;     // experts from a token-id table (V4 first layers)
  bool router_bias = false;     // gpt-oss
  bool expert_bias = false;     // gpt-oss
  bool router_scale = false;    // one scale per input channel and one per expert (gemma-4)
  bool operator==(const MoeSpec&) const = default;
};

struct LayerSpec {
  AttentionSpec attention;
  DenseFfnSpec dense;      // intermediate_size = 0: no dense FFN
  MoeSpec moe;             // n_routed_experts = 0: no experts. Both non-zero: in parallel (gemma-4)
  std::int64_t norms = 2;  // RMSNorm (or LayerNorm) vectors of hidden_size per layer: 2, Gemma 4
  bool operator==(const LayerSpec&) const = default;
};

enum class MtpKind : std::uint8_t { none, v3, v4 };

/// Where each class of weights is stored in the checkpoint as published.
struct CheckpointFormat {
  Dtype linear = Dtype::bf16;   // quantised projections and dense/shared FFN
  Dtype experts = Dtype::bf16;  // routed experts
  Dtype other = Dtype::bf16;    // embeddings, head, norms, router
  bool operator==(const CheckpointFormat&) const = default;
};

struct RopeSpec {
  double rope_theta = 10000.0;
  std::string type = "default";  // default, yarn, llama3, linear, proportional, none, learned
  double factor = 1.0;
  std::int64_t original_max_position_embeddings = 0;
  bool operator==(const RopeSpec&) const = default;
};

struct ArchSpec {
  std::string name;
  std::string model_type;
  std::int64_t hidden_size = 0;  // d
  std::int64_t vocab_size = 0;
  std::int64_t max_position_embeddings = 0;
  bool tie_word_embeddings = false;
  bool layer_norm_bias = false;        // LayerNorm (weight and bias) instead of RMSNorm (GPT-3)
  std::int64_t learned_positions = 0;  // rows of a learned position table (GPT-3)
  std::int64_t hc_mult = 1;            // residual streams of mHC (V4: 4); 1: a plain residual
  std::vector<LayerSpec> kinds;        // distinct layers
  std::vector<int> layers;  // index into kinds, one per layer, in order: size = num_hidden_layers
  MtpKind mtp_kind = MtpKind::none;
  std::int64_t num_nextn_predict_layers = 0;
  LayerSpec mtp_layer;  // the block inside one MTP module
  bool mtp_stores_copies =
      false;  // the checkpoint repeats embedding and head in each MTP module (V3, GLM)
  bool kv_cache_only =
      false;  // the file describes the cache and nothing else: other questions are refused (V4.1)
  RopeSpec rope;
  CheckpointFormat checkpoint;
  std::vector<std::string>
      unmodelled;  // parts left out by --text-only or a partial file: shown in every report
  bool operator==(const ArchSpec&) const = default;
};

/// "mla", "mla+dsa", "gqa", "mha", "mqa", "csa", "hca", "window", "linear", "tpa" ("gqa-window",
/// "gqa-chunked" for local layers).
std::string_view kind_name(const AttentionSpec& attention);

nlohmann::json to_json(const ArchSpec& arch);

}  // namespace fathom::model
