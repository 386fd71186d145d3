#include "proof/weights.hpp"

#include <cmath>

#include "measure/random_data.hpp"
#include "proof/layer_shape.hpp"

namespace fathom::proof {

using kernels::cpu::Bf16;
using kernels::cpu::Buffer;
using kernels::cpu::PackedExperts;
using kernels::cpu::PackedLinear;

Buffer<Bf16> Draw::matrix(std::int64_t n, std::int64_t k) {
  Buffer<Bf16> out{n * k};
  // uniform in [-a, a) has variance a^2 / 3
  measure::fill_random(out.span(), std::sqrt(3.0F / static_cast<float>(k)), seed_++);
  return out;
}

PackedLinear Draw::linear(std::int64_t n, std::int64_t k) {
  const Buffer<Bf16> w = matrix(n, k);
  return kernels::cpu::pack_linear(w.data(), n, k);
}

PackedExperts Draw::experts(std::int64_t count, std::int64_t dim, std::int64_t inter) {
  PackedExperts out{.dim = dim, .inter = inter};
  for (std::int64_t e = 0; e < count; ++e) {
    const Buffer<Bf16> gate = matrix(inter, dim);
    const Buffer<Bf16> down = matrix(dim, inter);
    const Buffer<Bf16> up = matrix(inter, dim);
    out.experts.push_back(
        kernels::cpu::pack_expert(gate.data(), down.data(), up.data(), dim, inter));
  }
  return out;
}

Buffer<float> Draw::norm(std::int64_t width) {
  Buffer<float> out{width};
  measure::fill_random(out.span(), 0.1F, seed_++);
  for (float& value : out.span()) value += 1.0F;
  return out;
}

void add_region(Regions& regions, const PackedLinear& weight) {
  regions.push_back({weight.tiles.data(), weight.tiles.bytes()});
}

void add_region(Regions& regions, const PackedExperts& weights) {
  for (const kernels::cpu::PackedExpert& expert : weights.experts) {
    add_region(regions, expert.gate_up);
    add_region(regions, expert.down);
  }
}

RopeTable::RopeTable(std::int64_t positions, std::int64_t dim, double theta)
    : half(dim / 2), cos(positions * (dim / 2)), sin(positions * (dim / 2)) {
  for (std::int64_t p = 0; p < positions; ++p)
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(p) * std::pow(theta, -2.0 * static_cast<double>(i) /
                                                                        static_cast<double>(dim));
      cos[p * half + i] = static_cast<float>(std::cos(angle));
      sin[p * half + i] = static_cast<float>(std::sin(angle));
    }
}

}  // namespace fathom::proof
