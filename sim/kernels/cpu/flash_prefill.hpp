#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kv_cache.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

/// Attention of many new tokens of one sequence over their prefix and themselves: MHA, GQA, and MLA
/// in its naive form (qk 192, v 128).
struct FlashPrefillShape {
  std::int64_t tokens = 0;         // queries
  std::int64_t prefix_tokens = 0;  // cached before them
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t qk_head_dim = 0;
  std::int64_t v_head_dim = 0;
  double softmax_scale = 1.0;
  bool causal = true;
  std::int64_t window = 0;  // newest keys that a query sees, its own included; 0: all
  bool operator==(const FlashPrefillShape&) const = default;
};

/// Elements from one token to the next; 0: heads (or kv_heads) times the head's dimension.
struct FlashPrefillStrides {
  std::int64_t q = 0;
  std::int64_t k = 0;
  std::int64_t v = 0;
  bool operator==(const FlashPrefillStrides&) const = default;
};

struct FlashPrefillInput {
  const Bf16* q = nullptr;  // [tokens, heads, qk_head_dim]
  const Bf16* k = nullptr;  // [prefix_tokens + tokens, kv_heads, qk_head_dim]
  const Bf16* v = nullptr;  // [prefix_tokens + tokens, kv_heads, v_head_dim]
};

class AttentionPlan;

/// FlashAttention (arXiv 2205.14135) for CPUs: a block of 128 (256 with 2 MiB of L2) query rows of
/// one KV head stays in L2 while key blocks pass. Keys that no query of a block sees are never
/// read. Moves queries and output once, keys and values once per block of query rows.
/// Workers take (KV head, query block) units, most work first; the result is the same bits for any
/// number of threads. Accuracy as in MlaDecode.
class FlashPrefill {
 public:
  FlashPrefill(const FlashPrefillShape& shape, const FlashPrefillStrides& strides, Isa isa,
               int threads);
  FlashPrefill(FlashPrefill&&) noexcept;
  FlashPrefill& operator=(FlashPrefill&&) noexcept;
  ~FlashPrefill();

  /// out [tokens, heads, v_head_dim], dense.
  void run(const FlashPrefillInput& in, const AttentionOutput& out, ThreadPool& pool);

 private:
  FlashPrefillShape shape_;
  FlashPrefillStrides strides_;
  std::unique_ptr<AttentionPlan> plan_;
};

}  // namespace fathom::kernels::cpu
