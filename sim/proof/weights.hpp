#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/experts.hpp"
#include "kernels/cpu/linear.hpp"
#include "measure/stopwatch.hpp"

namespace fathom::proof {

/// Random weights, the same for the same seed: uniform with the variance that keeps the size of
/// what passes through. A `Draw` is one stream of seeds for a layer, in the order of its weights.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : seed_(seed * 1'000'003) {}
  kernels::cpu::Buffer<kernels::cpu::Bf16> matrix(std::int64_t n, std::int64_t k);  // [n, k]
  kernels::cpu::PackedLinear linear(std::int64_t n, std::int64_t k);
  kernels::cpu::PackedExperts experts(std::int64_t count, std::int64_t dim, std::int64_t inter);
  kernels::cpu::Buffer<float> norm(std::int64_t width);  // near one

 private:
  std::uint64_t seed_;
};

/// What a call reads from DRAM when it is cold.
using Regions = std::vector<measure::Region>;
void add_region(Regions& regions, const kernels::cpu::PackedLinear& weight);
void add_region(Regions& regions, const kernels::cpu::PackedExperts& weights);

}  // namespace fathom::proof
