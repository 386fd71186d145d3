#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/buffer.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace fathom::kernels::cpu {

/// A weight w [n, k] (nn.Linear's layout) in the order in which the kernels read it: panels of 32
/// outputs, a panel in steps of 32 inputs, a step as 16 pairs of inputs x 32 outputs x 2. That is
/// what tdpbf16ps (two tiles side by side) and vdpbf16ps take, and whole panels are read in the
/// order of their addresses. Zero-padded, so any n and k work: 2 KiB per step.
struct PackedLinear {
  static constexpr std::int64_t kPanel = 32;  // outputs
  static constexpr std::int64_t kStep = 32;   // inputs
  static constexpr std::int64_t kStepElements = kPanel * kStep;

  std::int64_t n = 0;
  std::int64_t k = 0;
  Buffer<Bf16> tiles;  // [panels, steps, 16, 32, 2]

  std::int64_t panels() const { return (n + kPanel - 1) / kPanel; }
  std::int64_t steps() const { return (k + kStep - 1) / kStep; }
  std::int64_t panel_elements() const { return steps() * kStepElements; }
  const Bf16* panel(std::int64_t index) const { return tiles.data() + index * panel_elements(); }
};
PackedLinear pack_linear(const Bf16* w, std::int64_t n, std::int64_t k);
/// Gate and up projection of one feed-forward layer, both [inter, k], as one weight of 2 inter
/// outputs whose panels alternate: gate 0..31, up 0..31, gate 32..63, ...; n counts whole panels.
PackedLinear pack_gate_up(const Bf16* gate, const Bf16* up, std::int64_t inter, std::int64_t k);

/// Calls with fewer rows wait for the weights alone: `amx` leaves them to vector_isa(), which reads
/// 4 to 8 panels line by line in turn.
inline constexpr std::int64_t kTileRows = 4;

/// What calls need beside their operands: rows in the kernels' order and, per worker, a block of
/// sums that stays in L2. Grows to the largest call and is then reused: no allocation in a call
/// that is no larger than one before. One call at a time.
struct LinearWorkspace {
  explicit LinearWorkspace(int workers = 1) : blocks(static_cast<std::size_t>(workers)) {}
  Buffer<std::uint8_t> rows;
  std::vector<Buffer<float>> blocks;
};

/// y[m, n] = x[m, k] w[n, k]^T: bf16 operands, fp32 sums. Strides count elements. Exactly one of
/// `y` and `y_bf16` (rounded to nearest, ties to even) is set.
struct LinearCall {
  const Bf16* x = nullptr;  // [rows, k]
  std::int64_t rows = 0;
  std::int64_t x_stride = 0;
  const PackedLinear* w = nullptr;
  float* y = nullptr;  // [rows, n]
  Bf16* y_bf16 = nullptr;
  std::int64_t y_stride = 0;
  const PackedLinear* next = nullptr;  // a weight of the same shape that the caller multiplies with
                                       // next: its beginning is fetched while this one ends
};

/// Moves x once per 8 to 64 panels (from L2 or L3), the weights once per block of rows that fills
/// half of L2 with sums (once altogether up to some hundred rows, from 8 places at a time), y once.
/// Error: |y - exact| <= k 2^-23 sum |x w|, in practice 1e-6 relative (Frobenius) for random
/// operands; amx and avx512_bf16 take denormal operands and sums for zero. Columns are split over
/// the pool; the result is bitwise the same for any number of workers.
/// A pool larger than the workspace's workers makes the workspace grow.
void linear(const LinearCall& call, LinearWorkspace& workspace, Isa isa, ThreadPool& pool);
/// The same for columns [columns.begin, columns.end) only (multiples of 32 apart from the last),
/// on the calling thread: for callers that thread themselves, with a workspace per thread.
void linear_columns(const LinearCall& call, Range columns, LinearWorkspace& workspace, Isa isa);

/// Products of equal shape, one per head: MLA's absorption of W_UK into the query, q [tokens,
/// heads, nope] -> [tokens, heads, kv_lora_rank], and of W_UV behind the attention. Head h reads
/// x + h x_head_stride and writes y + h y_head_stride. Heads are split over the pool, columns too
/// when there are fewer heads than workers.
struct BatchedLinearCall {
  LinearCall first;                       // head 0; `w` is ignored
  const PackedLinear* weights = nullptr;  // [heads], all of one shape
  std::int64_t heads = 0;
  std::int64_t x_head_stride = 0;
  std::int64_t y_head_stride = 0;
};
/// `workspaces`: one per worker of the pool.
void batched_linear(const BatchedLinearCall& call, std::vector<LinearWorkspace>& workspaces,
                    Isa isa, ThreadPool& pool);

}  // namespace fathom::kernels::cpu
