#pragma once
// Layers as the papers write them down: every token by itself, no cache, everything in double.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cpu/bf16.hpp"
#include "model/arch_spec.hpp"

namespace fathom::proof::test {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // one per token

std::vector<kernels::cpu::Bf16> random_tokens(std::int64_t tokens, std::int64_t width,
                                              std::uint64_t seed);
Rows rows_of(std::span<const kernels::cpu::Bf16> data, std::int64_t width);
Rows rows_of(std::span<const float> data, std::int64_t width);

// Weights are drawn in the order that the layers document. One sequence, causal.
Rows mla(const model::ArchSpec& arch, const model::MlaSpec& spec, std::uint64_t seed,
         const Rows& x);
Rows gqa(const model::ArchSpec& arch, const model::GqaSpec& spec, std::uint64_t seed,
         const Rows& x);
Rows feed_forward(const model::ArchSpec& arch, const model::LayerSpec& spec, std::uint64_t seed,
                  const Rows& x);

Vector rms_norm(const Vector& x, std::span<const float> weight);

/// Relative Frobenius distance.
double distance(const Rows& got, const Rows& want);

}  // namespace fathom::proof::test
