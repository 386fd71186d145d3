#pragma once

#include <cstdint>

#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/attention_vector.hpp"

namespace fathom::kernels::cpu {

/// Reduction of index scores: ReLU, times the head's weight, summed over heads.
template <class P>
struct IndexSteps {
  using V = typename P::Vector;

  /// Scores of 16 cache rows from block row t on for one token, one per lane.
  static V sixteen(const IndexJob& index, std::int64_t token, std::int64_t t) {
    const AttentionJob& job = index.job;
    V sum[kLanes];
    for (V& x : sum) x = P::set1(0.0F);
    for (std::int64_t i = 0; i < index.groups_per_token; ++i) {
      const std::int64_t group = token * index.groups_per_token + i;
      const float* scores = job.scores + (group * job.block_rows + t) * kLanes;
      const V weights = P::load(index.weights + group * kLanes);
      for (int r = 0; r < kLanes; ++r) {
        const V logit = P::max(P::load(scores + r * kLanes), P::set1(0.0F));
        sum[r] = P::multiply_add(logit, weights, sum[r]);
      }
    }
    return P::lane_sums(sum);
  }

  static void reduce(const IndexJob& index, std::int64_t first, std::int64_t rows) {
    const AttentionJob& job = index.job;
    for (std::int64_t token = 0; token < index.tokens; ++token) {
      const std::int64_t end = job.end[token * index.groups_per_token * kLanes];
      float* out = index.out + token * index.stride;
      for (std::int64_t t = first; t < first + rows; t += kLanes) {
        alignas(64) float scores[kLanes];
        P::store(scores, sixteen(index, token, t - first));
        for (std::int64_t i = 0; i < kLanes && t + i < job.last; ++i)
          out[t + i] = t + i < end ? scores[i] : -__builtin_inff();
      }
    }
  }

  /// `score(block, group)` for all groups of each block, then the reduction.
  template <class Score>
  static void run(const IndexJob& index, const Score& score) {
    const AttentionJob& job = index.job;
    KeyBlock block;
    for (std::int64_t first = job.first; first < job.last; first += job.block_rows) {
      const std::int64_t left = job.last - first;
      load_block(job, first, left < job.block_rows ? left : job.block_rows, block);
      score(block);
      reduce(index, first, block.chunks * kChunkRows);
    }
  }
};

template <class P>
static void index_on_vectors(const IndexJob& index) {
  using Vectors = AttentionVectors<P>;
  IndexSteps<P>::run(index, [&index](const KeyBlock& block) {
    Vectors::widen_keys(index.job, block);
    for (std::int64_t g = 0; g < index.job.groups; g += 2)
      Vectors::scores(index.job, block, g, g + 1 < index.job.groups ? 2 : 1,
                      block.chunks * kChunkRows);
  });
}

}  // namespace fathom::kernels::cpu
