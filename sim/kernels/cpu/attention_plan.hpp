#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kv_cache.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

/// The kernel of an instruction set. Isa must be supported.
AttentionKernel attention_kernel(Isa isa);

/// One query row as words `stride` apart (a column of its panel [words][16]: 16), zero up to
/// `padded` elements.
void pack_query(const AttentionKernel& kernel, std::span<const Bf16> q, std::int64_t padded,
                std::uint32_t* words, std::int64_t stride);

/// What mla_decode, gqa_decode and flash_prefill are instances of.
struct AttentionShape {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t qk_head_dim = 0;
  std::int64_t v_head_dim = 0;
  bool shared_kv = false;  // values are the first v_head_dim elements of the keys: MLA
  double softmax_scale = 1.0;
  bool causal = true;
  std::int64_t window = 0;
  KvLayout layout;
  bool operator==(const AttentionShape&) const = default;
};

/// One sequence: queries [query_tokens, heads, qk_head_dim], the newest of the cached rows.
struct AttentionSequence {
  const Bf16* q = nullptr;
  std::int64_t token_stride = 0;  // elements
  std::int64_t query_tokens = 0;
  KvSequence cache;
  AttentionOutput out;
};

/// Cuts attention into units (sequence, KV head, block of query rows, range of cache rows), runs
/// them on a pool and merges the ranges. Holds all workspaces.
class AttentionPlan {
 public:
  AttentionPlan(const AttentionShape& shape, const AttentionKernel& kernel, int threads);
  AttentionPlan(const AttentionPlan&) = delete;
  AttentionPlan& operator=(const AttentionPlan&) = delete;
  ~AttentionPlan();

  /// Room for the sequences of the next call, default values.
  std::span<AttentionSequence> sequences(std::int64_t count);
  /// Attends to all of sequences().
  void run(ThreadPool& pool);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom::kernels::cpu
