#pragma once

#include <cstdint>

#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/attention_softmax.hpp"

// Attention of many query rows over vectors of 16 fp32, see attention_softmax.hpp for `P`.
namespace fathom::kernels::cpu {

/// Rows of words, `row` words apart, whose terms are `term` words apart.
struct Rows {
  const Word* first;
  std::int64_t row, term;
};
/// Panels [terms][16], and where their products go: [rows][16] each.
struct Panels {
  const Word* words;
  std::int64_t panel;  // words from one to the next
  std::int64_t terms;
  float* out;
  std::int64_t out_panel;
};

/// out[p][i][0:16] (+)= sum_k a[i][k] b[p][k][0:16] for i < rows, p < panels, all sums in
/// registers.
template <class P, int rows, int panels, bool add>
static inline void multiply(const Rows& a, const Panels& b) {
  // Four rows per pointer: more pointers than registers would cost more than the products.
  constexpr int kPointers = (rows + 3) / 4;
  const Word* at[kPointers];
  for (int i = 0; i < kPointers; ++i) at[i] = a.first + 4 * i * a.row;
  const Word* words = b.words;
  typename P::Vector sum[panels][rows];
  for (int p = 0; p < panels; ++p)
    for (int i = 0; i < rows; ++i)
      sum[p][i] = add ? P::load(b.out + p * b.out_panel + i * kLanes) : P::set1(0.0F);
  for (std::int64_t k = 0; k < b.terms; ++k, words += kLanes) {
    typename P::Words panel[panels];
    for (int p = 0; p < panels; ++p) panel[p] = P::load_words(words + p * b.panel);
    for (int i = 0; i < rows; ++i) {
      const typename P::Words same = P::spread(at[i / 4] + i % 4 * a.row);
      for (int p = 0; p < panels; ++p) sum[p][i] = P::dot(sum[p][i], panel[p], same);
    }
    for (int i = 0; i < kPointers; ++i) {
      at[i] += a.term;
      __asm__("" : "+r"(at[i]));  // keeps the compiler from making a pointer of every row
    }
  }
  for (int p = 0; p < panels; ++p)
    for (int i = 0; i < rows; ++i) P::store(b.out + p * b.out_panel + i * kLanes, sum[p][i]);
}

template <class P>
struct AttentionVectors : AttentionSteps<P> {
  using Steps = AttentionSteps<P>;
  static constexpr int kTerms = P::kTermsPerWord;

  /// Keys as fp32 words, for the forms that multiply those.
  static void widen_keys(const AttentionJob& job, const KeyBlock& block) {
    if constexpr (kTerms == 1)
      for (std::int64_t r = 0; r < block.chunks * kChunkRows; ++r) {
        const Chunk& chunk = block.keys[r / kChunkRows];
        P::widen_row(chunk.rows + r % kChunkRows * chunk.stride, job.qk_padded,
                     job.key_words + r * job.qk_padded);
      }
  }

  /// Lines of the next block that packing its values will not touch.
  static void ask_for_keys(const AttentionJob& job, const Chunk& next) {
    const std::int64_t first = job.shared ? job.ask_from : 0;
    for (int r = 0; r < kChunkRows; ++r)
      for (std::int64_t d = first; d < job.qk_padded; d += 32)
        P::ask_for(next.rows + r * next.stride + d);
  }

  static Rows key_rows(const AttentionJob& job, const KeyBlock& block, std::int64_t c) {
    if (kTerms == 1) return {job.key_words + c * kChunkRows * job.qk_padded, job.qk_padded, 1};
    return {reinterpret_cast<const Word*>(block.keys[c].rows), block.keys[c].stride / 2, 1};
  }

  template <int rows, int groups>
  static void score_chunk(const AttentionJob& job, Rows keys, std::int64_t c, std::int64_t group) {
    const std::int64_t terms = job.qk_padded / kTerms;
    const std::int64_t stride = job.block_rows * kLanes;
    float* out = Steps::scores_of(job, group) + c * kChunkRows * kLanes;
    for (int r = 0; r < kChunkRows; r += rows, keys.first += rows * keys.row, out += rows * kLanes)
      multiply<P, rows, groups, false>(
          keys, {job.queries + group * terms * kLanes, terms * kLanes, terms, out, stride});
  }

  /// Scores of one or two groups against `rows` rows of the block; the first group prefetches.
  static void scores(const AttentionJob& job, const KeyBlock& block, std::int64_t group, int groups,
                     std::int64_t rows) {
    for (std::int64_t c = 0; c < rows / kChunkRows; ++c) {
      if (group == 0) ask_for_keys(job, block.next_keys[c]);
      const Rows keys = key_rows(job, block, c);
      if (groups == 2)
        score_chunk<P::kPairRows, 2>(job, keys, c, group);
      else
        score_chunk<P::kSingleRows, 1>(job, keys, c, group);
    }
  }

  /// Rows r.. of a group times the two panels of a strip.
  template <int rows>
  static void add_values(const AttentionJob& job, std::int64_t group, int r, std::int64_t terms,
                         float* out) {
    const std::int64_t stride = job.block_rows / kTerms * kLanes;
    multiply<P, rows, 2, true>({job.probs + group * stride + r, 1, kLanes},
                               {job.value_words, stride, terms, out + r * kLanes, kLanes * kLanes});
  }

  /// Output += probabilities x values, in strips of 32 values: a strip is packed into L1 and serves
  /// all groups.
  static void accumulate(const AttentionJob& job, const KeyBlock& block,
                         const std::int64_t* reach) {
    for (std::int64_t v = 0; v < job.v_padded; v += 2 * kLanes) {
      P::value_panels(job, block, v, job.value_words);
      for (std::int64_t g = 0; g < job.groups; ++g) {
        if (reach[g] == 0) continue;
        const std::int64_t terms = reach[g] / kTerms;
        const std::int64_t left = job.rows - g * kLanes;
        const int rows = left < kLanes ? static_cast<int>(left) : kLanes;
        float* out = job.out + (g * job.v_padded + v) * kLanes;
        int r = 0;
        for (; r + P::kFewRows < rows; r += P::kPairRows)
          add_values<P::kPairRows>(job, g, r, terms, out);
        for (; r < rows; r += P::kFewRows) add_values<P::kFewRows>(job, g, r, terms, out);
      }
    }
  }

  /// Scores and probabilities of the groups, two at a time; `reach`: rows that each took part in.
  static void weigh(const AttentionJob& job, const KeyBlock& block, std::int64_t first,
                    std::int64_t* reach) {
    const std::int64_t rows = block.chunks * kChunkRows;
    for (std::int64_t g = 0; g < job.groups; g += 2) {
      const int groups = g + 1 < job.groups ? 2 : 1;
      std::int64_t reached = 0;
      for (std::int64_t i = g; i < g + groups; ++i) {
        const std::int64_t own = Steps::reach(job, i, first, rows);
        if (own > reached) reached = own;
      }
      if (reached > 0) scores(job, block, g, groups, reached);
      for (std::int64_t i = g; i < g + groups; ++i) {
        reach[i] = reached;
        if (reached > 0) Steps::softmax(job, i, first, reached);
      }
    }
  }

  static void attend(const AttentionJob& job) {
    KeyBlock block;
    std::int64_t reach[kMaxGroups];
    for (std::int64_t first = job.first; first < job.last; first += job.block_rows) {
      const std::int64_t left = job.last - first;
      load_block(job, first, left < job.block_rows ? left : job.block_rows, block);
      widen_keys(job, block);
      weigh(job, block, first, reach);
      accumulate(job, block, reach);
    }
  }
};

}  // namespace fathom::kernels::cpu
