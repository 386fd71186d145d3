#include <immintrin.h>

#include "kernels/cpu/bursts.hpp"
#include "kernels/cpu/twelve_chains.hpp"

namespace fathom::kernels::cpu::avx512_bf16 {
double dot_burst(std::int64_t rounds) {
  const __m512 zero = _mm512_setzero_ps();
  __m512 a = zero, b = zero, c = zero, d = zero, e = zero, f = zero;
  __m512 g = zero, h = zero, i = zero, j = zero, k = zero, l = zero;
  for (std::int64_t round = 0; round < rounds; ++round)
    __asm__ volatile(FATHOM_TWELVE_CHAINS("vdpbf16ps")
                     : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h),
                       "+v"(i), "+v"(j), "+v"(k), "+v"(l)
                     : "v"(zero));
  return 12.0 * 32.0 * 2.0 * static_cast<double>(rounds);
}

}  // namespace fathom::kernels::cpu::avx512_bf16
