#include "kernels/cpu/probe.hpp"

#include <algorithm>
#include <chrono>

#include "kernels/cpu/bursts.hpp"
#include "kernels/cpu/isa.hpp"

namespace fathom::kernels::cpu {
namespace {

template <class Burst>
double best_rate(Burst burst) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t kRounds = 4000;  // some 20 us: shorter than most interruptions
  double best = 0.0;
  for (int i = 0; i < 12; ++i) {
    const auto start = Clock::now();
    const double work = burst(kRounds);
    const std::chrono::duration<double> time = Clock::now() - start;
    best = std::max(best, work / time.count());
  }
  return best;
}

}  // namespace

double probe_fma_rate() {
#if defined(__x86_64__)
  if (supported(Isa::avx512)) return best_rate(avx512::fma_burst);
#endif
  return best_rate(portable::fma_burst);
}

double probe_dot_rate() {
#if defined(__x86_64__)
  if (supported(Isa::avx512_bf16)) return best_rate(avx512_bf16::dot_burst);
#endif
  return 0.0;
}

}  // namespace fathom::kernels::cpu
