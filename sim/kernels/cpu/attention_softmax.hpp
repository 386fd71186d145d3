#pragma once

#include <cstdint>

#include "kernels/cpu/attention_job.hpp"

// Online softmax over vectors of 16 fp32. `P` is the vector of an instruction set and how it
// multiplies: fp32 terms, or pairs of bf16 in one word. Instantiated with types from anonymous
// namespaces only.
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

  /// Scores of a group [block rows][16].
  static float* scores_of(const AttentionJob& job, std::int64_t group) {
    return job.scores + group % job.score_slots * job.block_rows * kLanes;
  }

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
    const float* scores = scores_of(job, group);
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
    const float* scores = scores_of(job, group) + t * kLanes;
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

}  // namespace fathom::kernels::cpu
