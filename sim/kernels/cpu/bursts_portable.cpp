#include <cstring>

#include "kernels/cpu/bursts.hpp"

namespace fathom::kernels::cpu::portable {
namespace {

template <class T>
void keep(const T& value) {
  __asm__ volatile("" : : "m"(value) : "memory");
}

}  // namespace

double fma_burst(std::int64_t rounds) {
  constexpr int kLanes = 32;  // eight SSE registers: more would spill
  float sums[kLanes] = {};
  float factor = 0.5F;
  keep(factor);
  for (std::int64_t i = 0; i < rounds; ++i)
    for (float& sum : sums) sum = sum * factor + factor;
  keep(sums);
  return 2.0 * kLanes * static_cast<double>(rounds);
}

double read_burst(const void* data, std::int64_t bytes, int streams) {
  const auto* base = static_cast<const unsigned char*>(data);
  const std::int64_t length = bytes / streams / 64 * 64;
  std::uint64_t sums[8] = {};
  for (std::int64_t at = 0; at < length; at += 64)
    for (int s = 0; s < streams; ++s) {
      std::uint64_t line[8];
      std::memcpy(line, base + s * length + at, sizeof line);
      for (int j = 0; j < 8; ++j) sums[j] += line[j];
    }
  keep(sums);
  return static_cast<double>(length * streams);
}

}  // namespace fathom::kernels::cpu::portable
