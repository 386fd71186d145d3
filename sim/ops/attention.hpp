#pragma once

#include <cstdint>

#include "ops/cost.hpp"

namespace fathom::ops {

// Attention cores take the number of (query, key) pairs and of cached rows rather than lengths, so
// one operator serves prefill, chunks with a prefix, windows and decode of unequal sequences.
// `pairs` counts each pair once for all heads.

/// Softmax attention with keys and values per KV head: MHA, GQA, MQA, and the naive form of MLA
/// (heads = kv_heads).
struct Attention {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t qk_head_dim = 0;
  std::int64_t v_head_dim = 0;
  double query_tokens = 0.0;
  double kv_tokens =
      0.0;  // rows of K and V read: once per sequence, not once per query or per head of a group
  double pairs = 0.0;
  double sequences = 0.0;
  Dtype kv = Dtype::bf16;
  bool naive_mla = false;
  bool prefill = false;
  bool operator==(const Attention&) const = default;
};
OpCost cost(const Attention& op);

/// Every head reads the same cached row: absorbed MLA (qk_dim = kv_lora_rank + qk_rope_head_dim,
/// v_dim = kv_lora_rank) and V4's shared-KV attention (both = head_dim). Scores and weighted sum
/// over `pairs` (selected ones when sparse).
struct LatentAttention {
  std::int64_t heads = 0;
  std::int64_t qk_dim = 0;
  std::int64_t v_dim = 0;
  double query_tokens = 0.0;
  double kv_tokens = 0.0;    // rows read; for a gathered top-k every query reads its own
  double kv_distinct = 0.0;  // different rows among them, at most; 0: all
  double pairs = 0.0;
  double sequences = 0.0;
  Bytes row_bytes;  // one cached row as stored, scales included
  bool sparse = false;
  bool prefill = false;
  bool operator==(const LatentAttention&) const = default;
};
OpCost cost(const LatentAttention& op);

/// Lightning indexer: score(t, s) = sum_h w_h ReLU(q_h · k_s) over every visible key, then top-k
/// (V3.2-Exp report, eq. 1).
struct Indexer {
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  double query_tokens = 0.0;
  double keys = 0.0;  // key rows read
  double pairs = 0.0;
  Bytes key_bytes;  // one stored key, scale included
  Math math = Math::fp8;
  bool prefill = false;
  bool operator==(const Indexer&) const = default;
};
OpCost cost(const Indexer& op);

/// Gated delta rule (Qwen3-Next): S <- g S (I - beta k k^T) + beta v k^T; o = S q, one dk x dv
/// state per value head.
struct LinearAttention {
  std::int64_t value_heads = 0;
  std::int64_t key_heads = 0;
  std::int64_t key_dim = 0;
  std::int64_t value_dim = 0;
  double tokens = 0.0;
  double state_passes = 0.0;  // how often a sequence's state is read and written: once per decode
                              // step or prefill chunk
  Dtype state = Dtype::fp32;
  bool operator==(const LinearAttention&) const = default;
};
OpCost cost(const LinearAttention& op);

/// Query-key pairs of `new_tokens` causal queries after a prefix: T P + T (T + 1) / 2.
double causal_pairs(double new_tokens, double prefix_tokens);
/// The same when a query sees at most `cap` keys (window, top-k); cap = 0: no cap.
double capped_pairs(double new_tokens, double prefix_tokens, double cap);

}  // namespace fathom::ops
