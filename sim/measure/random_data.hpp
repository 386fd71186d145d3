#pragma once

#include <cstdint>
#include <span>

#include "kernels/cpu/bf16.hpp"

namespace fathom::measure {

/// Uniform in [-scale, scale), the same everywhere for the same seed; four bf16 a draw, so that
/// hundreds of megabytes of weights take no longer than measuring with them.
void fill_random(std::span<kernels::cpu::Bf16> out, float scale, std::uint64_t seed);
void fill_random(std::span<float> out, float scale, std::uint64_t seed);

}  // namespace fathom::measure
