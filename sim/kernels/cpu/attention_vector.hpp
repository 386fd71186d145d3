#pragma once

#include <cstdint>

#include "kernels/cpu/attention_job.hpp"

// Attention over vectors of 16 fp32. `P` is the vector of an instruction set and how it multiplies:
// fp32 terms, or pairs of bf16 in one word. Instantiated with types from anonymous namespaces only.
namespace fathom::kernels::cpu {

// exp2 on [-1/2, 1/2] by its series: ln(2)^k / k!. The first term left out bounds the relative
// error by (ln(2)/2)^6 / 6! / 2^-0.5 = 3.4e-6; probabilities are rounded to 2^-9 or summed in fp32.
constexpr float kLn2 = 0.693147180559945F;
constexpr float kExp2Terms[6] = {1.0F,
                                 kLn2,
                                 kLn2* kLn2 / 2.0F,
                                 kLn2* kLn2* kLn2 / 6.0F,
                                 kLn2* kLn2* kLn2* kLn2 / 24.0F,
                                 kLn2* kLn2* kLn2* kLn2* kLn2 / 120.0F};
// Below every score; finite, so that differences are never NaN.
constexpr float kNoScore = -1e30F;
// The maximum follows the scores only when they outgrow it by more than this (in powers of two), so
// that the accumulated output is hardly ever rescaled. Any shift is exact mathematics, and 2^8
// costs none of fp32's range.
constexpr float kMaximumSlack = 8.0F;

template <class P>
struct AttentionSteps {
  using V = typename P::Vector;
  static constexpr int kTerms = P::kTermsPerWord;

  /// Rows of a block up to the last that any query row of a group sees, a multiple of 32 (two
  /// tiles); 0 where none sees any.
  static std::int64_t reach(const AttentionJob& job, std::int64_t group, std::int64_t first,
                            std::int64_t rows) {
    std::int64_t last = 0;
    for (std::int64_t i = group * kLanes; i < (group + 1) * kLanes; ++i) {
      const std::int64_t end = job.end[i] - first;
      if (job.begin[i] < first + rows && end > last) last = end;
    }
    const std::int64_t reached = (last + 31) / 32 * 32;
    return reached < rows ? reached : rows;
  }

  /// Whether every query row of a group sees these rows.
  static bool all_seen(const AttentionJob& job, std::int64_t group, std::int64_t first,
                       std::int64_t rows) {
    bool all = true;
    for (std::int64_t i = group * kLanes; i < (group + 1) * kLanes; ++i)
      all = all && job.begin[i] <= first && job.end[i] >= first + rows;
    return all;
  }

  static V exp2(V x) {
    const V whole = P::round(x);
    const V part = P::sub(x, whole);
    V sum = P::set1(kExp2Terms[5]);
    for (int k = 4; k >= 0; --k) sum = P::multiply_add(sum, part, P::set1(kExp2Terms[k]));
    return P::scale(sum, whole);
  }

  /// Largest score of each query row, of the rows that it sees.
  static V largest(const AttentionJob& job, std::int64_t group, std::int64_t first,
                   std::int64_t rows, bool masked) {
    const float* scores = job.scores + group * job.block_rows * kLanes;
    V best[4] = {P::set1(kNoScore), P::set1(kNoScore), P::set1(kNoScore), P::set1(kNoScore)};
    for (std::int64_t t = 0; t < rows; t += 4)
      for (int i = 0; i < 4; ++i) {
        V x = P::load(scores + (t + i) * kLanes);
        if (masked) x = P::keep(x, first + t + i, job, group, kNoScore);
        best[i] = P::max(best[i], x);
      }
    return P::max(P::max(best[0], best[1]), P::max(best[2], best[3]));
  }

  /// Multiplies what is accumulated for each query row of a group.
  static void rescale(const AttentionJob& job, std::int64_t group, V factor) {
    alignas(64) float of_row[kLanes];
    P::store(of_row, factor);
    float* out = job.out + group * job.v_padded * kLanes;
    for (int r = 0; r < kLanes; ++r) {
      if (of_row[r] == 1.0F) continue;
      const V f = P::set1(of_row[r]);
      for (std::int64_t v = 0; v < job.v_padded * kLanes; v += kLanes * kLanes)
        P::store(out + v + r * kLanes, P::mul(f, P::load(out + v + r * kLanes)));
    }
  }

  /// The maximum after this block, everything accumulated brought to it.
  static V raise_maximum(const AttentionJob& job, std::int64_t group, V scores) {
    const V old = P::load(job.maximum + group * kLanes);
    const V best = P::mul(scores, P::set1(job.log2_scale));
    const V now = P::raise(old, best, kMaximumSlack);
    if (P::equal(now, old)) return now;
    P::store(job.maximum + group * kLanes, now);
    const V factor = exp2(P::sub(old, now));
    P::store(job.sum + group * kLanes, P::mul(P::load(job.sum + group * kLanes), factor));
    rescale(job, group, factor);
    return now;
  }

  /// Scores of rows t and t + 1 to probabilities.
  template <bool masked>
  static void pair(const AttentionJob& job, std::int64_t group, std::int64_t first, std::int64_t t,
                   V scale, V maximum, V (&p)[2]) {
    const float* scores = job.scores + (group * job.block_rows + t) * kLanes;
    for (int i = 0; i < 2; ++i) {
      p[i] = exp2(P::multiply_sub(P::load(scores + i * kLanes), scale, maximum));
      if constexpr (masked) p[i] = P::keep(p[i], first + t + i, job, group, 0.0F);
    }
  }

  template <bool masked>
  static void probabilities(const AttentionJob& job, std::int64_t group, std::int64_t first,
                            std::int64_t rows, V maximum) {
    const V scale = P::set1(job.log2_scale);
    Word* probs = job.probs + group * (job.block_rows / kTerms) * kLanes;
    V sum[2] = {P::set1(0.0F), P::set1(0.0F)};
    for (std::int64_t t = 0; t < rows; t += 2) {
      V p[2];
      pair<masked>(job, group, first, t, scale, maximum, p);
      sum[0] = P::add(sum[0], p[0]);
      sum[1] = P::add(sum[1], p[1]);
      P::store_pair(probs + t / kTerms * kLanes, p[0], p[1]);
    }
    float* total = job.sum + group * kLanes;
    P::store(total, P::add(P::load(total), P::add(sum[0], sum[1])));
  }

  /// Online softmax of one group over a block (arXiv 1805.02867): 16 query rows in the lanes, cache
  /// rows one after the other, so nothing is summed across lanes.
  static void softmax(const AttentionJob& job, std::int64_t group, std::int64_t first,
                      std::int64_t rows) {
    const bool masked = !all_seen(job, group, first, rows);
    const V best = largest(job, group, first, rows, masked);
    const V maximum = raise_maximum(job, group, best);
    if (masked)
      probabilities<true>(job, group, first, rows, maximum);
    else
      probabilities<false>(job, group, first, rows, maximum);
  }
};

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
    const std::int64_t first = job.shared ? job.v_padded : 0;
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
    float* out = job.scores + group * stride + c * kChunkRows * kLanes;
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
