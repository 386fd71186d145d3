#include <immintrin.h>

#include "kernels/cpu/bursts.hpp"
#include "kernels/cpu/twelve_chains.hpp"

namespace fathom::kernels::cpu::avx512 {
namespace {

void keep(__m512i value) { __asm__ volatile("" : : "v"(value) : "memory"); }

}  // namespace

// Accumulators of `type`; what an operation means is the instruction's business.
#define FATHOM_CHAINS_OF(type, zero, instruction, rounds)                                    \
  const type nought = zero;                                                                  \
  type a = nought, b = nought, c = nought, d = nought, e = nought, f = nought;               \
  type g = nought, h = nought, i = nought, j = nought, k = nought, l = nought;               \
  for (std::int64_t round = 0; round < (rounds); ++round)                                    \
  __asm__ volatile(FATHOM_TWELVE_CHAINS(instruction)                                         \
                   : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h), \
                     "+v"(i), "+v"(j), "+v"(k), "+v"(l)                                      \
                   : "v"(nought))

double fma_burst(std::int64_t rounds) {
  FATHOM_CHAINS_OF(__m512, _mm512_setzero_ps(), "vfmadd231ps", rounds);
  return 12.0 * 16.0 * 2.0 * static_cast<double>(rounds);
}

double fp16_burst(std::int64_t rounds) {
  FATHOM_CHAINS_OF(__m512, _mm512_setzero_ps(), "vfmadd231ph", rounds);
  return 12.0 * 32.0 * 2.0 * static_cast<double>(rounds);
}

double int8_burst(std::int64_t rounds) {
  FATHOM_CHAINS_OF(__m512i, _mm512_setzero_si512(), "vpdpbusd", rounds);
  return 12.0 * 64.0 * 2.0 * static_cast<double>(rounds);
}

double read_burst(const void* data, std::int64_t bytes, int streams) {
  const auto* base = static_cast<const char*>(data);
  const std::int64_t length = bytes / streams / 128 * 128;
  __m512i even = _mm512_setzero_si512();
  __m512i odd = even;
  for (std::int64_t at = 0; at < length; at += 128)
    for (int s = 0; s < streams; ++s) {
      const char* line = base + s * length + at;
      even = _mm512_add_epi32(even, _mm512_loadu_si512(line));
      odd = _mm512_add_epi32(odd, _mm512_loadu_si512(line + 64));
    }
  keep(_mm512_add_epi32(even, odd));
  return static_cast<double>(length * streams);
}

double copy_burst(const void* from, void* to, std::int64_t bytes) {
  const auto* source = static_cast<const char*>(from);
  auto* target = static_cast<char*>(to);
  const std::int64_t length = bytes / 64 * 64;
  for (std::int64_t at = 0; at < length; at += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(target + at), _mm512_loadu_si512(source + at));
  _mm_sfence();
  return 2.0 * static_cast<double>(length);
}

}  // namespace fathom::kernels::cpu::avx512
