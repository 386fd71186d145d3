#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kv_cache.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

/// Lightning indexer of DeepSeek sparse attention (V3.2-Exp report, section 2).
struct IndexerShape {
  std::int64_t heads = 64;      // index_n_heads
  std::int64_t head_dim = 128;  // index_head_dim
  bool causal = true;           // query token i of n sees all keys but the last n - 1 - i
  KvStorage storage = KvStorage::bf16;
  std::int64_t scale_group = 0;  // of quantised key rows, see KvLayout
  bool operator==(const IndexerShape&) const = default;
};

struct IndexerQueries {
  const Bf16* q = nullptr;         // [tokens, heads, head_dim]
  const float* weights = nullptr;  // [tokens, heads], all scales included
  std::int64_t tokens = 0;
};

struct IndexerState;

/// I(t, s) = sum_h w(t, h) ReLU(q(t, h) . k(s)). Every block of keys meets all heads of four (two)
/// query tokens while it is in cache; scores go out as they are reduced. Moves keys once per four
/// (two) query tokens and 4 bytes per score. Sums are fp32: error below 2^-20 sum_h |w_h q_h| |k|.
/// The result is the same bits for any number of threads.
class Indexer {
 public:
  Indexer(const IndexerShape& shape, Isa isa, int threads);
  Indexer(Indexer&&) noexcept;
  Indexer& operator=(Indexer&&) noexcept;
  ~Indexer();

  /// Key rows (KvSpan::keys) of head_dim elements; scores [tokens, keys], -infinity for later keys.
  void run(const IndexerQueries& queries, KvSequence keys, float* scores, ThreadPool& pool);

 private:
  std::unique_ptr<IndexerState> state_;
};

/// Positions of the `topk` largest scores, best first, the lowest position among equals; -1 where
/// fewer are above -infinity. Selects by radix (three passes over the scores at most), then sorts
/// what is selected. Scores must not be NaN.
class TopKeys {
 public:
  explicit TopKeys(std::int64_t topk) : topk_(topk) {}
  std::span<const std::int64_t> select(std::span<const float> scores);

 private:
  std::int64_t topk_;
  std::vector<std::uint64_t> candidates_;
  std::vector<std::int64_t> best_;
};

/// The selected rows of a cache (positions in any order, -1 ignored) as spans in cache order,
/// neighbours joined: what MlaDecode with causal = false reads. A row of the cache is
/// layout.key_stride (value_stride) elements.
void select_rows(const KvLayout& layout, KvSequence cache, std::span<const std::int64_t> positions,
                 std::vector<KvSpan>& selected);

}  // namespace fathom::kernels::cpu
