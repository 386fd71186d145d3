#pragma once

#include <cstdint>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/buffer.hpp"

namespace fathom::proof {

/// What a layer is built for: equal sequences that bring `new_tokens` each.
struct LayerShape {
  std::int64_t sequences = 1;
  std::int64_t new_tokens = 1;
  std::int64_t max_context = 0;  // cached tokens before the new ones, at most
  bool prefill = false;          // MLA in its naive form, flash attention

  std::int64_t rows() const { return sequences * new_tokens; }
  std::int64_t capacity() const { return max_context + new_tokens; }
};

/// What sublayers hand to each other: the normalised stream in, their own output out.
struct SublayerIo {
  const kernels::cpu::Bf16* x = nullptr;  // [rows, hidden_size]
  float* y = nullptr;                     // [rows, hidden_size]
  std::int64_t context = 0;               // tokens in the cache before this step
};

/// cos and sin [positions, dim / 2] of plain RoPE (arXiv 2104.09864): angle p theta^(-2i/dim).
/// Scaled variants (YaRN) only change the numbers, not the work.
struct RopeTable {
  RopeTable() = default;
  RopeTable(std::int64_t positions, std::int64_t dim, double theta);
  const float* cos_at(std::int64_t position) const { return cos.data() + position * half; }
  const float* sin_at(std::int64_t position) const { return sin.data() + position * half; }
  std::int64_t half = 0;
  kernels::cpu::Buffer<float> cos, sin;
};

}  // namespace fathom::proof
