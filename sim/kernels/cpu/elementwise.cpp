#include "kernels/cpu/elementwise.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "kernels/cpu/elementwise_rows.hpp"

namespace fathom::kernels::cpu {
namespace {

const ElementwiseKernels& kernels(Isa isa) {
  FATHOM_EXPECT(supported(isa), "a kernel for this processor");
#if defined(__x86_64__)
  if (isa != Isa::portable) return avx512::kElementwise;
#endif
  return portable::kElementwise;
}

/// `work(row)` for all rows, in parts of the pool.
template <class Work>
void for_rows(std::int64_t rows, ThreadPool& pool, Work work) {
  pool.run([&](int worker) {
    const Range part = part_of(rows, 1, worker, pool.size());
    for (std::int64_t row = part.begin; row < part.end; ++row) work(row);
  });
}

/// `work(first, count)` for parts of a flat array, cut at cache lines of bf16.
template <class Work>
void for_parts(std::int64_t count, ThreadPool& pool, Work work) {
  pool.run([&](int worker) {
    const Range part = part_of(count, 32, worker, pool.size());
    if (part.begin < part.end) work(part.begin, part.end - part.begin);
  });
}

/// `work(first element, count, scale's index)` for all blocks of 1 x 128.
template <class Work>
void for_fp8_blocks(const Fp8Call& call, ThreadPool& pool, Work work) {
  const std::int64_t blocks = (call.width + kFp8Block - 1) / kFp8Block;
  for_rows(call.rows, pool, [&](std::int64_t row) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t count = std::min(kFp8Block, call.width - b * kFp8Block);
      work(row * call.width + b * kFp8Block, count, row * blocks + b);
    }
  });
}

}  // namespace

void rms_norm(const RmsNormCall& call, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_rows(call.rows, pool, [&](std::int64_t row) {
    float* residual = call.residual != nullptr ? call.residual + row * call.x_stride : nullptr;
    k.rms_norm(call.x + row * call.x_stride, residual, call.weight, call.width, call.eps,
               call.y + row * call.y_stride);
  });
}

void rope(const RopeCall& call, Isa isa, ThreadPool& pool) {
  FATHOM_EXPECT(call.dim % 2 == 0 && call.dim <= kMostRopeDim, "an even rotary width up to 512");
  const ElementwiseKernels& k = kernels(isa);
  for_rows(call.tokens, pool, [&](std::int64_t token) {
    const float* cos = call.cos + token * call.dim / 2;
    const float* sin = call.sin + token * call.dim / 2;
    for (std::int64_t head = 0; head < call.heads; ++head) {
      Bf16* x = call.x + token * call.token_stride + head * call.head_stride;
      if (call.pairs == RopePairs::half)
        k.rope_half(x, call.dim, cos, sin);
      else
        k.rope_adjacent(x, call.dim, cos, sin, call.pairs == RopePairs::deinterleaved);
    }
  });
}

void swiglu(const SwigluCall& call, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_rows(call.rows, pool, [&](std::int64_t row) {
    k.swiglu(call.gate + row * call.in_stride, call.up + row * call.in_stride, call.width,
             call.y + row * call.y_stride);
  });
}

void quantise_fp8(const Fp8Call& call, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_fp8_blocks(call, pool, [&](std::int64_t first, std::int64_t count, std::int64_t scale) {
    k.quantise_fp8(call.x + first, count, call.codes + first, call.scales + scale);
  });
}

void dequantise_fp8(const Fp8Call& call, float* y, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_fp8_blocks(call, pool, [&](std::int64_t first, std::int64_t count, std::int64_t scale) {
    k.dequantise_fp8(call.codes + first, count, call.scales[scale], y + first);
  });
}

void quantise_int8(const Int8Call& call, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_rows(call.rows, pool, [&](std::int64_t row) {
    const std::int64_t first = row * call.width;
    k.quantise_int8(call.x + first, call.width, call.codes + first, call.scales + row);
  });
}

void dequantise_int8(const Int8Call& call, float* y, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_rows(call.rows, pool, [&](std::int64_t row) {
    const std::int64_t first = row * call.width;
    k.dequantise_int8(call.codes + first, call.width, call.scales[row], y + first);
  });
}

void to_bf16(const float* from, std::int64_t count, Bf16* to, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_parts(count, pool, [&](std::int64_t first, std::int64_t part) {
    k.to_bf16(from + first, part, to + first);
  });
}

void to_float(const Bf16* from, std::int64_t count, float* to, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_parts(count, pool, [&](std::int64_t first, std::int64_t part) {
    k.to_float(from + first, part, to + first);
  });
}

void embedding(const EmbeddingCall& call, Isa isa, ThreadPool& pool) {
  const ElementwiseKernels& k = kernels(isa);
  for_rows(call.tokens, pool, [&](std::int64_t token) {
    k.to_float(call.table + call.ids[token] * call.width, call.width, call.y + token * call.width);
  });
}

}  // namespace fathom::kernels::cpu
