#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/cpu/linear.hpp"

namespace fathom::kernels::cpu {

/// down(silu(gate x) * up x), packed once.
struct PackedExpert {
  PackedLinear gate_up;  // pack_gate_up of w1 and w3, [inter, dim] each
  PackedLinear down;     // w2 [dim, inter]
};
/// w1 (gate) and w3 (up) [inter, dim], w2 (down) [dim, inter].
PackedExpert pack_expert(const Bf16* w1, const Bf16* w2, const Bf16* w3, std::int64_t dim,
                         std::int64_t inter);

/// Routed experts of a device.
struct PackedExperts {
  std::int64_t dim = 0;
  std::int64_t inter = 0;  // moe_intermediate_size
  std::vector<PackedExpert> experts;
};

/// y[t] = sum over the choices c of weights[t, c] * expert indices[t, c] (x[t]). An index outside
/// of 0..experts (an expert of another device) takes no part. Without `indices` every token goes to
/// expert 0 with weight 1: a dense layer or the shared experts as one.
struct ExpertsCall {
  const Bf16* x = nullptr;  // [tokens, dim]
  std::int64_t tokens = 0;
  std::int64_t x_stride = 0;
  const PackedExperts* weights = nullptr;
  const std::int32_t* indices = nullptr;  // [tokens, choices]
  const float* choice_weights = nullptr;  // [tokens, choices]
  std::int64_t choices = 0;
  float* y = nullptr;  // [tokens, dim]
  std::int64_t y_stride = 0;
  bool accumulate = false;  // add to what y holds (shared experts first, routed on top)
};

/// Sorted pairs, rows and hidden rows in the kernels' order, sums: per (token, choice) pair
/// 2 dim + 4 inter bytes (avx512 and portable 4 dim + 6 inter). Grows to the largest call, then no
/// call allocates. One call at a time.
class ExpertsWorkspace {
 public:
  ExpertsWorkspace();
  ExpertsWorkspace(ExpertsWorkspace&&) noexcept;
  ~ExpertsWorkspace();
  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

/// Counting sort of the (token, choice) pairs by expert, then two grouped products: gate and up
/// with SwiGLU on the block of sums while it is in L2 (hidden is rounded to bf16, as on the
/// device), down with the weighted sum onto y. Workers take blocks of columns for all experts, one
/// after the other as they finish: however skewed the load of the experts, every block costs the
/// same, nobody writes what another one writes, and the result is bitwise the same for any number
/// of workers. Weights of experts without tokens are not read. `amx` serves experts with few rows
/// (below kTileRows) by vector_isa().
void experts(const ExpertsCall& call, ExpertsWorkspace& workspace, Isa isa, ThreadPool& pool);

}  // namespace fathom::kernels::cpu
