#include "measure/random_data.hpp"

#include <random>

namespace fathom::measure {
namespace {

// 16 random bits to [-1, 1).
float signed_unit(std::uint64_t bits) {
  return static_cast<float>(static_cast<std::int16_t>(bits & 0xffffU)) * 0x1p-15F;
}

template <class T, class Convert>
void fill(std::span<T> out, float scale, std::uint64_t seed, Convert convert) {
  std::mt19937_64 engine{seed};
  for (std::size_t i = 0; i < out.size();) {
    std::uint64_t bits = engine();
    for (int j = 0; j < 4 && i < out.size(); ++j, ++i, bits >>= 16)
      out[i] = convert(scale * signed_unit(bits));
  }
}

}  // namespace

void fill_random(std::span<kernels::cpu::Bf16> out, float scale, std::uint64_t seed) {
  fill(out, scale, seed, [](float value) { return kernels::cpu::to_bf16(value); });
}

void fill_random(std::span<float> out, float scale, std::uint64_t seed) {
  fill(out, scale, seed, [](float value) { return value; });
}

}  // namespace fathom::measure
