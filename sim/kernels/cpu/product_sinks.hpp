#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/product_blocks.hpp"
#include "kernels/cpu/vector_math.hpp"

// What AVX-512 and AMX products share: reading rows and writing out the sums of a group of panels.
namespace fathom::kernels::cpu::blocks {

/// 32 inputs of a row; those beyond `left` are zero and not touched.
static inline __m512i row_step(const ProductBf16* x, std::int64_t left) {
  if (left >= kStep) return _mm512_loadu_si512(x);
  const auto mask = static_cast<__mmask32>((std::uint64_t{1} << left) - 1);
  return _mm512_maskz_loadu_epi16(mask, x);
}

/// Lanes of a vector that starts at `column` of `columns`.
static inline __mmask16 lanes(std::int64_t column, std::int64_t columns) {
  const std::int64_t left = columns - column;
  if (left >= 16) return 0xffff;
  return left <= 0 ? __mmask16{0} : static_cast<__mmask16>((1U << left) - 1);
}

/// The sums of one row in one group: `sums` of the first panel, `panel_floats` to the next.
struct RowSums {
  const float* sums = nullptr;
  std::int64_t panel_floats = 0;
  std::int64_t panels = 0;
  std::int64_t column = 0;  // of y, where the group starts

  __m512 half(std::int64_t panel, int h) const {
    return _mm512_load_ps(sums + panel * panel_floats + 16 * h);
  }
};

static inline void drain_fp32(const RowSums& row, float* y, const ProductSink& sink) {
  for (std::int64_t panel = 0; panel < row.panels; ++panel)
    for (int h = 0; h < 2; ++h) {
      const std::int64_t column = row.column + panel * kPanel + 16 * h;
      const __mmask16 mask = lanes(column, sink.columns);
      if (sink.stream && mask == 0xffff)
        _mm512_stream_ps(y + column, row.half(panel, h));
      else
        _mm512_mask_storeu_ps(y + column, mask, row.half(panel, h));
    }
}

static inline void drain_bf16(const RowSums& row, ProductBf16* y, const ProductSink& sink) {
  for (std::int64_t panel = 0; panel < row.panels; ++panel)
    for (int h = 0; h < 2; ++h) {
      const std::int64_t column = row.column + panel * kPanel + 16 * h;
      _mm256_mask_storeu_epi16(y + column, lanes(column, sink.columns),
                               vector::rounded_bf16(row.half(panel, h)));
    }
}

static inline void drain_swiglu(const RowSums& row, ProductBf16* y, const ProductSink& sink) {
  for (std::int64_t panel = 0; panel + 1 < row.panels; panel += 2)
    for (int h = 0; h < 2; ++h) {
      const std::int64_t column = row.column / 2 + panel / 2 * kPanel + 16 * h;
      const __m512 gate = row.half(panel, h);
      const __m512 hidden = _mm512_mul_ps(vector::silu(gate), row.half(panel + 1, h));
      _mm256_mask_storeu_epi16(y + column, lanes(column, sink.columns),
                               vector::rounded_bf16(hidden));
    }
}

static inline void drain_scatter(const RowSums& row, float* y, float weight,
                                 const ProductSink& sink) {
  const __m512 factor = _mm512_set1_ps(weight);
  for (std::int64_t panel = 0; panel < row.panels; ++panel)
    for (int h = 0; h < 2; ++h) {
      const std::int64_t column = row.column + panel * kPanel + 16 * h;
      const __mmask16 mask = lanes(column, sink.columns);
      const __m512 old = _mm512_maskz_loadu_ps(mask, y + column);
      _mm512_mask_storeu_ps(y + column, mask, _mm512_fmadd_ps(factor, row.half(panel, h), old));
    }
}

static void drain_sums(const Product& p, std::int64_t group, std::int64_t panels,
                       std::int64_t panel_floats) {
  using Kind = ProductSink::Kind;
  const ProductSink& sink = p.sink;
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const RowSums row{p.block + r * kPanel, panel_floats, panels, group * kPanel};
    const std::int64_t target = (sink.kind == Kind::scatter ? sink.ids[r] : r) * sink.stride;
    auto* y_bf16 = static_cast<ProductBf16*>(sink.y);
    auto* y = static_cast<float*>(sink.y);
    if (sink.kind == Kind::fp32) drain_fp32(row, y + target, sink);
    if (sink.kind == Kind::bf16) drain_bf16(row, y_bf16 + target, sink);
    if (sink.kind == Kind::swiglu) drain_swiglu(row, y_bf16 + target, sink);
    if (sink.kind == Kind::scatter)
      drain_scatter(row, y + target, sink.weights != nullptr ? sink.weights[r] : 1.0F, sink);
  }
}

}  // namespace fathom::kernels::cpu::blocks
