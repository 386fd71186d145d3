#pragma once

#include <cstdint>
#include <span>

#include "kernels/cpu/bf16.hpp"

namespace fathom::kernels::cpu {

/// How a cache holds its rows. The quantised forms are for accuracy studies: rows become bf16 as a
/// block is loaded, so they cost time instead of saving it.
enum class KvStorage : std::uint8_t {
  bf16,
  int8,  // element = code * scale
  e4m3,  // element = value of the code (arXiv 2209.05433) * scale
};
constexpr std::int64_t bytes_per_element(KvStorage storage) {
  return storage == KvStorage::bf16 ? 2 : 1;
}

/// Neighbouring rows of a cache. A contiguous cache is one span, a paged one has a span per page, a
/// gathered one (sparse attention) a span per selected row.
struct KvSpan {
  const void* keys = nullptr;
  const void* values = nullptr;         // null in MLA: the first elements of the key row
  const float* key_scales = nullptr;    // quantised storage only, [rows, scales per row]
  const float* value_scales = nullptr;  // as above
  std::int64_t rows = 0;
};

/// The cached rows of one sequence, oldest first.
using KvSequence = std::span<const KvSpan>;
std::int64_t row_count(KvSequence sequence);

/// Elements from one row to the next, and elements that share a scale (counted from the start of a
/// row, 0: the whole row).
struct KvLayout {
  KvStorage storage = KvStorage::bf16;
  std::int64_t key_stride = 0;
  std::int64_t value_stride = 0;
  std::int64_t scale_group = 0;
  bool operator==(const KvLayout&) const = default;
};

/// Scales that a row of `stride` elements has.
std::int64_t scales_per_row(const KvLayout& layout, std::int64_t stride);

/// Rows of `stride` bf16 elements quantised with one scale per group: the largest magnitude of the
/// group becomes the largest code (127, or 448 in e4m3). `codes` [rows, stride], `scales` [rows,
/// scales per row]. Error of an element: int8 at most scale / 2, e4m3 at most 2^-4 of the element
/// (2^-10 scale where that is larger).
void quantise_rows(const KvLayout& layout, std::span<const Bf16> rows, std::uint8_t* codes,
                   float* scales);

/// Where attention writes [tokens, heads, v] row by row: one of the two, and if asked for the
/// natural logarithm of each softmax denominator [tokens, heads].
struct AttentionOutput {
  float* fp32 = nullptr;
  Bf16* bf16 = nullptr;
  float* log_sum_exp = nullptr;
};
/// The same output from row `row` of `v` elements on.
AttentionOutput from_row(const AttentionOutput& out, std::int64_t row, std::int64_t v);

}  // namespace fathom::kernels::cpu
