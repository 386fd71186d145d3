#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ref/block_quant.hpp"
#include "kernels/ref/hadamard.hpp"
#include "kernels/ref/norm.hpp"
#include "kernels/ref/rope.hpp"
#include "kernels/ref/rope_frequencies.hpp"
#include "kernels/ref/v4_spec.hpp"

namespace fathom::kernels::ref {

// What happens to a projected row of DeepSeek-V4 on its way into a cache: norm, rotation of the
// last elements, rounding to the format it is stored in (inference/model.py, Attention.forward and
// Compressor.forward).

/// Key-value entries: FP8 in groups of 64, but for the rotated elements.
inline constexpr BlockFormat kV4EntryFormat{
    .cols = 64, .rule = ScaleRule::reciprocal, .grid = ScaleGrid::ue8m0};

/// Rotates the last `2 * tables width` elements of each row of x [tokens, heads, dim], in place.
template <class T>
void rotate_tail(Tensor<T>& x, const RopeTables<T>& tables, RopeLayout layout) {
  if (x.empty()) return;
  const std::int64_t per_token = x.rows() / tables.cos.dim(0);
  const auto tail = static_cast<std::size_t>(2 * tables.cos.dim(1));
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const std::int64_t t = r / per_token;
    rotate_row<T>(x.row(r).last(tail), tables.cos.row(t), tables.sin.row(t), layout);
  }
}

/// Rounds the first `count` elements of each row to the format, in place.
template <class T>
void round_front(Tensor<T>& x, std::int64_t count, const BlockFormat& format) {
  const auto n = static_cast<std::size_t>(count);
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const auto front = x.row(r).first(n);
    const Tensor<T> row{Shape{1, count}, std::vector<T>(front.begin(), front.end())};
    std::ranges::copy(round_trip(row, format).data, front.begin());
  }
}

/// Rows [entries, dim] in place: RMSNorm, then rotation of their last elements.
template <class T>
void norm_and_rotate(const V4AttentionSpec& spec, const Tensor<T>& norm_weight,
                     const RopeTables<T>& tables, Tensor<T>& rows) {
  for (std::int64_t r = 0; r < rows.rows(); ++r) {
    rms_norm_row<T>(rows.row(r), norm_weight, spec.norm_eps);
  }
  rotate_tail(rows, tables, RopeLayout::interleaved);
}

/// Projected rows [entries, head_dim] as they enter the window or the compressed entries.
template <class T>
void finish_entries(const V4AttentionSpec& spec, const Tensor<T>& norm_weight,
                    const RopeTables<T>& tables, Tensor<T>& rows) {
  norm_and_rotate(spec, norm_weight, tables, rows);
  if (spec.quantised) round_front(rows, rows.dim(1) - spec.rope_head_dim, kV4EntryFormat);
}

/// Queries and keys of the indexer after their RoPE: Hadamard rotation, FP4 in groups of 32.
template <class T>
void finish_index_rows(const V4AttentionSpec& spec, Tensor<T>& x) {
  for (std::int64_t r = 0; r < x.rows(); ++r) hadamard_row<T>(x.row(r));
  if (spec.quantised) round_front(x, x.dim(-1), kFp4V4);
}

/// Tables for the blocks that tokens [start_pos, end_pos) complete. A compressed entry carries the
/// position of its first token.
template <class T>
RopeTables<T> block_tables(const V4AttentionSpec& spec, std::int64_t ratio, std::int64_t start_pos,
                           std::int64_t end_pos) {
  std::vector<std::int64_t> positions;
  for (std::int64_t b = start_pos / ratio; b < end_pos / ratio; ++b) positions.push_back(b * ratio);
  return rope_tables<T>(inv_freq<T>(spec.rope), positions);
}

/// Appends rows [n, dim] to a growing cache [.., dim].
template <class T>
void append_rows(Tensor<T>& cache, const Tensor<T>& rows) {
  FATHOM_EXPECT(cache.dim(1) == rows.dim(1), "rows of another width than the cache's");
  cache.data.insert(cache.data.end(), rows.data.begin(), rows.data.end());
  cache.shape[0] += rows.dim(0);
}

}  // namespace fathom::kernels::ref
