#include "kernels/cpu/kv_cache.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "kernels/ref/fp8.hpp"

namespace fathom::kernels::cpu {

std::int64_t row_count(KvSequence sequence) {
  std::int64_t rows = 0;
  for (const KvSpan& span : sequence) rows += span.rows;
  return rows;
}

std::int64_t scales_per_row(const KvLayout& layout, std::int64_t stride) {
  const std::int64_t group = layout.scale_group > 0 ? layout.scale_group : stride;
  return (stride + group - 1) / group;
}

AttentionOutput from_row(const AttentionOutput& out, std::int64_t row, std::int64_t v) {
  return {.fp32 = out.fp32 == nullptr ? nullptr : out.fp32 + row * v,
          .bf16 = out.bf16 == nullptr ? nullptr : out.bf16 + row * v,
          .log_sum_exp = out.log_sum_exp == nullptr ? nullptr : out.log_sum_exp + row};
}

namespace {

std::uint8_t code_of(KvStorage storage, float value) {
  if (storage == KvStorage::e4m3)
    return static_cast<std::uint8_t>(ref::encode(ref::kE4m3, static_cast<double>(value)));
  return static_cast<std::uint8_t>(static_cast<std::int8_t>(std::lrint(value)));
}

}  // namespace

void quantise_rows(const KvLayout& layout, std::span<const Bf16> rows, std::uint8_t* codes,
                   float* scales) {
  FATHOM_EXPECT(layout.storage != KvStorage::bf16, "bf16 rows need no codes");
  const std::int64_t stride = layout.key_stride;
  const auto count = static_cast<std::int64_t>(rows.size());
  FATHOM_EXPECT(stride > 0 && count % stride == 0, "whole rows");
  const std::int64_t group = layout.scale_group > 0 ? layout.scale_group : stride;
  const float largest = layout.storage == KvStorage::int8 ? 127.0F : 448.0F;
  for (std::int64_t row = 0; row < count; row += stride) {
    for (std::int64_t begin = row; begin < row + stride; begin += group) {
      const std::int64_t end = std::min(begin + group, row + stride);
      float magnitude = 0.0F;
      for (std::int64_t i = begin; i < end; ++i)
        magnitude = std::max(magnitude, std::abs(to_float(rows[static_cast<std::size_t>(i)])));
      const float scale = magnitude > 0.0F ? magnitude / largest : 1.0F;
      *scales++ = scale;
      for (std::int64_t i = begin; i < end; ++i)
        codes[i] = code_of(layout.storage, to_float(rows[static_cast<std::size_t>(i)]) / scale);
    }
  }
}

}  // namespace fathom::kernels::cpu
