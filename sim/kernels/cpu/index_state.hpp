#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/attention_plan.hpp"
#include "kernels/cpu/buffer.hpp"
#include "kernels/cpu/indexer.hpp"

namespace fathom::kernels::cpu {

/// What an Indexer owns; made apart from it by tests, which bring a kernel of their own.
struct IndexerState {
  struct Workspace {
    Buffer<std::uint32_t> queries, key_words;
    Buffer<std::int32_t> begin, end;
    Buffer<std::uint16_t> key_space;
    Buffer<float> scores, weights;
  };
  /// Query tokens and cache rows that one worker takes at a time.
  struct Unit {
    std::int64_t token = 0, tokens = 0;
    std::int64_t first = 0, last = 0;
  };

  IndexerState(const IndexerShape& shape, const AttentionKernel& kernel, int threads);
  void run(const IndexerQueries& queries, KvSequence keys, float* scores, ThreadPool& pool);

  IndexerShape shape;
  AttentionKernel kernel;
  std::int64_t groups_per_token = 0;
  std::int64_t padded = 0;  // head_dim
  std::vector<Workspace> workers;
  std::vector<Unit> units;

 private:
  void list_units(std::int64_t tokens, std::int64_t keys);
  void pack(const Unit& unit, const IndexerQueries& queries, std::int64_t keys, Workspace& w) const;
  void run_unit(const Unit& unit, const IndexerQueries& queries, KvSequence keys, float* scores,
                Workspace& w) const;
};

}  // namespace fathom::kernels::cpu
