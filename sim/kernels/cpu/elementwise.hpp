#pragma once

#include <cstdint>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

// Pointwise kernels and norms: each element is read once and written once; rows are split over the
// pool. Strides count elements. Isa::amx means the AVX-512 form.

/// y = x / rms(x) * weight, rounded to bf16. With `residual` the sum residual += x comes first and
/// is what is normalised (and stays in `residual`). The sum of squares runs in fp32 lanes.
struct RmsNormCall {
  const float* x = nullptr;  // [rows, width]
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::int64_t x_stride = 0;
  const float* weight = nullptr;  // [width]
  float eps = 1e-6F;
  float* residual = nullptr;  // [rows, width], stride x_stride; may be null
  Bf16* y = nullptr;          // [rows, width]
  std::int64_t y_stride = 0;
};
void rms_norm(const RmsNormCall& call, Isa isa, ThreadPool& pool);

enum class RopePairs : std::uint8_t {
  interleaved,    // (2i, 2i+1) in place: DeepSeek's inference code
  deinterleaved,  // (2i, 2i+1), output [evens | odds]: Hugging Face's modelling code
  half,           // (i, i + dim/2): Llama, GPT-NeoX
};
/// In place: every head's `dim` elements from x + t token_stride + h head_stride, turned by token
/// t's angles: cos and sin [tokens, dim / 2]. Computed in fp32.
struct RopeCall {
  Bf16* x = nullptr;
  std::int64_t tokens = 0;
  std::int64_t heads = 1;
  std::int64_t token_stride = 0;
  std::int64_t head_stride = 0;
  std::int64_t dim = 64;  // qk_rope_head_dim, even, at most 512
  const float* cos = nullptr;
  const float* sin = nullptr;
  RopePairs pairs = RopePairs::interleaved;
};
void rope(const RopeCall& call, Isa isa, ThreadPool& pool);

/// y = silu(gate) * up, rounded to bf16; [rows, width] each. exp to 2 ulp of fp32.
struct SwigluCall {
  const float* gate = nullptr;
  const float* up = nullptr;
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::int64_t in_stride = 0;  // of gate and up
  Bf16* y = nullptr;
  std::int64_t y_stride = 0;
};
void swiglu(const SwigluCall& call, Isa isa, ThreadPool& pool);

/// FP8 e4m3 codes with one fp32 scale per row and 128 columns: scale = max(amax, 1e-4) / 448
/// (DeepSeek-V3 inference/kernel.py, act_quant); bit for bit ref::quantise(kActivationV3).
struct Fp8Call {
  const float* x = nullptr;  // [rows, width], dense
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::uint8_t* codes = nullptr;  // [rows, width]
  float* scales = nullptr;        // [rows, ceil(width / 128)]
};
inline constexpr std::int64_t kFp8Block = 128;
void quantise_fp8(const Fp8Call& call, Isa isa, ThreadPool& pool);
/// element * scale in fp32: codes and scales of `call` -> y [rows, width].
void dequantise_fp8(const Fp8Call& call, float* y, Isa isa, ThreadPool& pool);

/// Symmetric int8 per row: scale = amax / 127 (1 for a zero row), codes to nearest, ties to even.
struct Int8Call {
  const float* x = nullptr;  // [rows, width], dense
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::int8_t* codes = nullptr;
  float* scales = nullptr;  // [rows]
};
void quantise_int8(const Int8Call& call, Isa isa, ThreadPool& pool);
void dequantise_int8(const Int8Call& call, float* y, Isa isa, ThreadPool& pool);

/// To nearest, ties to even; NaN stays NaN.
void to_bf16(const float* from, std::int64_t count, Bf16* to, Isa isa, ThreadPool& pool);
void to_float(const Bf16* from, std::int64_t count, float* to, Isa isa, ThreadPool& pool);

/// Rows of an embedding table [vocab, width] in bf16 -> fp32 y [tokens, width].
struct EmbeddingCall {
  const Bf16* table = nullptr;
  std::int64_t width = 0;
  const std::int32_t* ids = nullptr;  // [tokens], inside of the vocabulary
  std::int64_t tokens = 0;
  float* y = nullptr;
};
void embedding(const EmbeddingCall& call, Isa isa, ThreadPool& pool);

}  // namespace fathom::kernels::cpu
