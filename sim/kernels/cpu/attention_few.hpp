#pragma once

#include <cstdint>

#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/attention_softmax.hpp"

// Attention of few query rows (MHA and small groups in decode), where 16 query rows per vector
// would be mostly empty: scores are dot products along the elements, the softmax runs along the
// cache rows, and values go from memory into the products without being packed.
namespace fathom::kernels::cpu {

template <class P>
struct FewRows {
  using V = typename P::Vector;
  using Steps = AttentionSteps<P>;
  static constexpr int kTerms = P::kTermsPerWord;

  /// Scores of `rows` query rows from r on and 16 / rows cache rows: 16 sums in registers.
  template <int rows>
  static void score_tile(const AttentionJob& job, const Chunk& keys, std::int64_t r, int t,
                         float* out) {
    constexpr int kKeys = kLanes / rows;
    constexpr int kPointers = (kKeys + 3) / 4;
    const std::int64_t words = job.qk_padded / kTerms;
    const std::uint16_t* at[kPointers];
    for (int i = 0; i < kPointers; ++i) at[i] = keys.rows + (t + 4 * i) * keys.stride;
    const Word* query[rows];
    for (int q = 0; q < rows; ++q)
      query[q] = job.queries + (r + q < job.rows ? r + q : job.rows - 1) * words;
    V sum[kLanes];
    for (V& x : sum) x = P::set1(0.0F);
    for (std::int64_t k = 0; k < words; k += kLanes) {
      typename P::Words q[rows];
      for (int i = 0; i < rows; ++i) q[i] = P::load_words(query[i] + k);
      for (int key = 0; key < kKeys; ++key) {
        const typename P::Words x = P::load_elements(at[key / 4] + key % 4 * keys.stride);
        for (int i = 0; i < rows; ++i) sum[i * kKeys + key] = P::dot(sum[i * kKeys + key], q[i], x);
      }
      for (int i = 0; i < kPointers; ++i) {
        at[i] += kLanes * kTerms;
        __asm__("" : "+r"(at[i]));  // as in multiply()
      }
    }
    alignas(64) float scores[kLanes];
    P::store(scores, P::lane_sums(sum));
    for (int q = 0; q < rows && r + q < job.rows; ++q)
      for (int key = 0; key < kKeys; ++key)
        out[q * job.block_rows + t + key] = scores[q * kKeys + key];
  }

  template <int rows>
  static void score_rows(const AttentionJob& job, const Chunk& keys, std::int64_t c) {
    for (std::int64_t r = 0; r < job.rows; r += rows)
      for (int t = 0; t < kChunkRows; t += kLanes / rows)
        score_tile<rows>(job, keys, r, t, job.scores + r * job.block_rows + c * kChunkRows);
  }

  /// Scores [query row][block row] of 16 cache rows.
  static void score(const AttentionJob& job, const Chunk& keys, const Chunk& next, std::int64_t c) {
    for (int i = 0; i < kChunkRows; ++i)
      for (std::int64_t d = job.shared ? job.ask_from : 0; d < job.qk_padded; d += 32)
        P::ask_for(next.rows + i * next.stride + d);
    if (job.rows > 2)
      score_rows<4>(job, keys, c);
    else if (job.rows == 2)
      score_rows<2>(job, keys, c);
    else
      score_rows<1>(job, keys, c);
  }

  /// The running maximum of a row raised to `top` where that outgrows it.
  static float raise_maximum(const AttentionJob& job, std::int64_t r, float top) {
    const float old = job.maximum[r];
    if (!(top > old + kMaximumSlack)) return old;
    job.maximum[r] = top;
    alignas(64) float factor[kLanes];
    P::store(factor, Steps::exp2(P::set1(old - top)));
    job.sum[r] *= factor[0];
    for (std::int64_t v = 0; v < job.v_padded; v += kLanes) {
      float* out = job.out + (v + r) * kLanes;
      P::store(out, P::mul(P::set1(factor[0]), P::load(out)));
    }
    return top;
  }

  template <bool masked>
  static void softmax(const AttentionJob& job, std::int64_t r, std::int64_t first,
                      std::int64_t rows) {
    const float* scores = job.scores + r * job.block_rows;
    Word* probs = job.probs + r * (job.block_rows / kTerms);
    const auto keep = [&](V x, std::int64_t t, float otherwise) {
      if constexpr (!masked) return x;
      return P::keep_range(x, first + t, job.begin[r], job.end[r], otherwise);
    };
    V best = P::set1(kNoScore);
    for (std::int64_t t = 0; t < rows; t += kLanes)
      best = P::max(best, keep(P::load(scores + t), t, kNoScore));
    const V maximum = P::set1(raise_maximum(job, r, P::largest_lane(best) * job.log2_scale));
    const V scale = P::set1(job.log2_scale);
    V sum = P::set1(0.0F);
    for (std::int64_t t = 0; t < rows; t += kLanes) {
      const V p = keep(Steps::exp2(P::multiply_sub(P::load(scores + t), scale, maximum)), t, 0.0F);
      sum = P::add(sum, p);
      P::store_probs(probs + t / kTerms, p);
    }
    job.sum[r] += P::lane_sum(sum);
  }

  /// Output of `rows` query rows and `strips` x 32 values from v on.
  template <int rows, int strips>
  static void add_values(const AttentionJob& job, const KeyBlock& block, std::int64_t v,
                         std::int64_t r0 = 0) {
    const typename P::Strip strip{};
    const std::int64_t row_words = job.block_rows / kTerms;
    float* out = job.out + (v + r0) * kLanes;
    V sum[strips][2][rows];
    for (int s = 0; s < 2 * strips; ++s)
      for (int r = 0; r < rows; ++r)
        sum[s / 2][s % 2][r] = P::load(out + (s * kLanes + r) * kLanes);
    const Word* probs = job.probs + r0 * row_words;
    for (std::int64_t c = 0; c < block.chunks; ++c) {
      const Chunk& values = block.values[c];
      const Chunk& next = block.next_values[c];
      for (int t = 0; t < kChunkRows; t += kTerms, ++probs) {
        for (int s = 0; s < strips; ++s) {
          typename P::Words words[2];
          strip.load(values.rows + t * values.stride + v + s * 32, values.stride, words);
          for (int i = 0; i < kTerms; ++i)
            P::ask_for(next.rows + (t + i) * next.stride + v + s * 32);
          for (int r = 0; r < rows; ++r) {
            const typename P::Words p = P::spread(probs + r * row_words);
            sum[s][0][r] = P::dot(sum[s][0][r], words[0], p);
            sum[s][1][r] = P::dot(sum[s][1][r], words[1], p);
          }
        }
      }
    }
    for (int s = 0; s < 2 * strips; ++s)
      for (int r = 0; r < rows; ++r)
        P::store(out + (s * kLanes + r) * kLanes, sum[s / 2][s % 2][r]);
  }

  static void accumulate(const AttentionJob& job, const KeyBlock& block) {
    for (std::int64_t v = 0; v < job.v_padded;) {
      // Few sums wait for one another's latency: then two strips at once.
      const bool two = v + 64 <= job.v_padded;
      if (job.rows > 4)
        for (std::int64_t r = 0; r < job.rows; r += 8) add_values<8, 1>(job, block, v, r);
      else if (job.rows > 2)
        two ? add_values<4, 2>(job, block, v) : add_values<4, 1>(job, block, v);
      else if (job.rows == 2)
        two ? add_values<2, 2>(job, block, v) : add_values<2, 1>(job, block, v);
      else
        two ? add_values<1, 2>(job, block, v) : add_values<1, 1>(job, block, v);
      v += two && job.rows <= 4 ? 64 : 32;
    }
  }

  static void attend(const AttentionJob& job) {
    KeyBlock block;
    for (std::int64_t first = job.first; first < job.last; first += job.block_rows) {
      const std::int64_t left = job.last - first;
      load_block(job, first, left < job.block_rows ? left : job.block_rows, block);
      const std::int64_t rows = block.chunks * kChunkRows;
      for (std::int64_t c = 0; c < block.chunks; ++c)
        score(job, block.keys[c], block.next_keys[c], c);
      for (std::int64_t r = 0; r < job.rows; ++r)
        if (job.begin[r] <= first && job.end[r] >= first + rows)
          softmax<false>(job, r, first, rows);
        else
          softmax<true>(job, r, first, rows);
      accumulate(job, block);
    }
  }
};

}  // namespace fathom::kernels::cpu
