#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/attention_simd.hpp"
#include "kernels/cpu/attention_softmax.hpp"
#include "kernels/cpu/transpose.hpp"

// What runs between the tile operations of attention, on the units that these leave idle.
namespace fathom::kernels::cpu {
namespace {

struct TilePairs : Avx512Vector {
  static constexpr int kTermsPerWord = 2;
  static void store_pair(Word* to, __m512 even, __m512 odd) {
    _mm512_storeu_si512(to, bf16_pairs(even, odd));
  }
};

/// 16 x 16 words transposed in place.
inline void transpose_tile(Word* tile) {
  __m512i rows[16];
  for (int i = 0; i < 16; ++i) rows[i] = _mm512_loadu_si512(tile + i * kLanes);
  vector::transpose(rows);
  for (int i = 0; i < 16; ++i) _mm512_storeu_si512(tile + i * kLanes, rows[i]);
}

/// Lines of the next block, asked for a few at a time: one sequential stream per chunk, because
/// several streams read memory faster than one.
class NextLines {
 public:
  NextLines(const Chunk* chunks, std::int64_t count, std::int64_t first, std::int64_t last)
      : chunks_(chunks), count_(count), first_(first), last_(last), column_(first) {
    if (first >= last) row_ = kChunkRows;
  }
  std::int64_t lines() const { return count_ * kChunkRows * ((last_ - first_ + 31) / 32); }
  void ask(std::int64_t lines) {
    for (; lines > 0 && row_ < kChunkRows; --lines) {
      const Chunk& c = chunks_[chunk_];
      _mm_prefetch(reinterpret_cast<const char*>(c.rows + row_ * c.stride + column_), _MM_HINT_T1);
      if (++chunk_ < count_) continue;
      chunk_ = 0;
      if ((column_ += 32) < last_) continue;
      column_ = first_;
      ++row_;
    }
  }

 private:
  const Chunk* chunks_;
  std::int64_t count_, first_, last_;  // chunks; columns of each row
  std::int64_t chunk_ = 0, row_ = 0, column_;
};

/// The softmax of one or two groups, cut into steps of 8 cache rows.
class SoftmaxSteps {
  using Steps = AttentionSteps<TilePairs>;

 public:
  SoftmaxSteps() = default;
  SoftmaxSteps(const AttentionJob& job, std::int64_t group, int groups, std::int64_t first,
               std::int64_t rows)
      : job_(&job), group_(group), last_group_(group + groups), first_(first), rows_(rows) {}

  static constexpr std::int64_t kRows = 8;
  std::int64_t steps() const { return (last_group_ - group_) * (rows_ / kRows); }
  void run(std::int64_t steps) {
    for (; steps > 0 && group_ < last_group_; --steps) step();
  }
  void finish() { run(steps()); }

 private:
  void begin_group() {
    masked_ = !Steps::all_seen(*job_, group_, first_, rows_);
    maximum_ =
        Steps::raise_maximum(*job_, group_, Steps::largest(*job_, group_, first_, rows_, masked_));
    sum_[0] = sum_[1] = _mm512_setzero_ps();
  }
  template <bool masked>
  void eight_rows(Word* probs) {
    const __m512 scale = _mm512_set1_ps(job_->log2_scale);
    for (std::int64_t t = row_; t < row_ + kRows; t += 2) {
      __m512 p[2];
      Steps::pair<masked>(*job_, group_, first_, t, scale, maximum_, p);
      sum_[0] = _mm512_add_ps(sum_[0], p[0]);
      sum_[1] = _mm512_add_ps(sum_[1], p[1]);
      TilePairs::store_pair(probs + t / 2 * kLanes, p[0], p[1]);
    }
  }
  void step() {
    if (row_ == 0) begin_group();
    Word* probs = job_->probs + group_ * (job_->block_rows / 2) * kLanes;
    masked_ ? eight_rows<true>(probs) : eight_rows<false>(probs);
    row_ += kRows;
    // Pairs [pair][query row] become an A tile [query row][pair].
    if (row_ % 32 == 0) transpose_tile(probs + (row_ - 32) / 2 * kLanes);
    if (row_ < rows_) return;
    float* total = job_->sum + group_ * kLanes;
    _mm512_storeu_ps(total, _mm512_add_ps(_mm512_loadu_ps(total), _mm512_add_ps(sum_[0], sum_[1])));
    row_ = 0;
    ++group_;
  }

  const AttentionJob* job_ = nullptr;
  std::int64_t group_ = 0, last_group_ = 0;
  std::int64_t first_ = 0, rows_ = 0, row_ = 0;
  bool masked_ = false;
  __m512 maximum_ = _mm512_setzero_ps();
  __m512 sum_[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
};

/// What happens besides the tile operations, a share of it per step.
struct Beside {
  NextLines lines;
  SoftmaxSteps softmax;
  std::int64_t lines_per_step = 0;
  std::int64_t softmax_per_step = 0;
  void step() {
    lines.ask(lines_per_step);
    softmax.run(softmax_per_step);
  }
};

}  // namespace
}  // namespace fathom::kernels::cpu
