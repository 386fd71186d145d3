#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kv_cache.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

/// Decode with grouped queries of a batch; kv_heads = heads is MHA, 1 is MQA.
struct GqaDecodeShape {
  std::int64_t sequences = 1;
  std::int64_t query_tokens = 1;  // per sequence, the newest of its cache; each sees those before
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t qk_head_dim = 128;
  std::int64_t v_head_dim = 128;
  double softmax_scale = 1.0;
  std::int64_t window = 0;  // newest rows that a query sees, its own included; 0: all
  KvStorage storage = KvStorage::bf16;
  std::int64_t scale_group = 0;  // of quantised rows, see KvLayout
  bool operator==(const GqaDecodeShape&) const = default;
};

class AttentionPlan;

/// Softmax attention of few query tokens over long caches. The query heads of a group and the query
/// tokens share every read of a key or value: the cache moves once. Split, merge, accuracy and
/// determinism as in MlaDecode.
class GqaDecode {
 public:
  GqaDecode(const GqaDecodeShape& shape, Isa isa, int threads);
  GqaDecode(GqaDecode&&) noexcept;
  GqaDecode& operator=(GqaDecode&&) noexcept;
  ~GqaDecode();

  /// q [sequences, query_tokens, heads, qk_head_dim]; key rows [kv_heads, qk_head_dim], value rows
  /// [kv_heads, v_head_dim]; out [sequences, query_tokens, heads, v_head_dim].
  void run(const Bf16* q, std::span<const KvSequence> caches, const AttentionOutput& out,
           ThreadPool& pool);

 private:
  GqaDecodeShape shape_;
  std::unique_ptr<AttentionPlan> plan_;
};

}  // namespace fathom::kernels::cpu
