#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kv_cache.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

/// Absorbed MLA decode of a batch: every head reads the cached latent rows themselves.
struct MlaDecodeShape {
  std::int64_t sequences = 1;
  std::int64_t query_tokens = 1;  // per sequence, the newest of its cache; each sees those before
  std::int64_t heads = 0;
  std::int64_t kv_lora_rank = 512;
  std::int64_t qk_rope_head_dim = 64;
  double softmax_scale = 1.0;
  KvStorage storage = KvStorage::bf16;
  std::int64_t scale_group = 0;  // of quantised rows, see KvLayout
  bool causal = true;  // false: every query token sees every row given (rows chosen by an indexer)
  bool operator==(const MlaDecodeShape&) const = default;
};

class AttentionPlan;

/// o = softmax(scale q c^T) c[:, 0:kv_lora_rank] without the scores ever leaving the cache.
/// Blocks of rows pass once through L2: scores S^T = c q^T with 16 query rows per vector (or tile),
/// online softmax down the rows, o accumulated in fp32. Moves the cache once per 128 query rows
/// (256 with 2 MiB of L2), queries and output once, and fp32 partial outputs where a sequence is
/// split. Long caches are split by row count alone and merged by log-sum-exp, so the result is the
/// same bits for any number of threads. Inner products round their operands and the probabilities
/// to bf16 (avx512 and portable: not even that), sums are fp32: relative error of the output 2^-8
/// sqrt(1/rows) ... 2^-8 plus the rounding of a bf16 output.
class MlaDecode {
 public:
  /// Workspaces for pools of up to `threads` workers. Any dimensions; multiples of 32 are read in
  /// place, others are copied block by block.
  MlaDecode(const MlaDecodeShape& shape, Isa isa, int threads);
  MlaDecode(MlaDecode&&) noexcept;
  MlaDecode& operator=(MlaDecode&&) noexcept;
  ~MlaDecode();

  /// q [sequences, query_tokens, heads, kv_lora_rank + qk_rope_head_dim], absorbed and rotated;
  /// out [sequences, query_tokens, heads, kv_lora_rank]. caches[i] has the query tokens' own rows
  /// at its end. Rows are kv_lora_rank + qk_rope_head_dim elements. Allocates only where a call is
  /// larger than all before.
  void run(const Bf16* q, std::span<const KvSequence> caches, const AttentionOutput& out,
           ThreadPool& pool);

 private:
  MlaDecodeShape shape_;
  std::unique_ptr<AttentionPlan> plan_;
};

}  // namespace fathom::kernels::cpu
