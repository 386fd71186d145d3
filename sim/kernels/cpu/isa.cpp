#include "kernels/cpu/isa.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "core/error.hpp"
#include "core/processor.hpp"
#include "kernels/cpu/probe.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fathom::kernels::cpu {
namespace {

constexpr std::string_view kNames[kIsaCount] = {"portable", "avx512", "avx512_bf16", "amx"};

std::int64_t cache_bytes(int name) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : 0;
}

#if defined(__x86_64__)
struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool bit(unsigned word, int position) { return (word >> position & 1U) != 0; }

/// Which register state the operating system saves: XCR0 (Intel SDM vol. 1, 13.3).
std::uint64_t enabled_state() {
  if (!bit(cpuid(1, 0).ecx, 27)) return 0;  // OSXSAVE
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

/// Linux hands out the tile state on request, per process, inherited by later threads.
bool grant_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

void read_flags(CpuFeatures& f) {
  constexpr std::uint64_t kZmmState = 0xe6;  // SSE, AVX, opmask, both halves of ZMM
  constexpr std::uint64_t kYmmState = 0x06;
  constexpr std::uint64_t kTileState = 0x60000;
  const std::uint64_t state = enabled_state();
  const Registers base = cpuid(7, 0);
  const Registers more = cpuid(7, 1);
  f.avx2 = (state & kYmmState) == kYmmState && bit(base.ebx, 5) && bit(cpuid(1, 0).ecx, 12);
  f.avx512 = (state & kZmmState) == kZmmState && bit(base.ebx, 16) && bit(base.ebx, 17) &&
             bit(base.ebx, 30) && bit(base.ebx, 31);
  f.avx512_bf16 = f.avx512 && bit(more.eax, 5);
  f.avx512_fp16 = f.avx512 && bit(base.edx, 23);
  f.avx512_vnni = f.avx512 && bit(base.ecx, 11);
  const bool tiles = (state & kTileState) == kTileState && bit(base.edx, 24) && grant_tiles();
  f.amx_bf16 = f.avx512_bf16 && tiles && bit(base.edx, 22);
  f.amx_int8 = f.avx512 && tiles && bit(base.edx, 25);
}
#else
void read_flags(CpuFeatures&) {}
#endif

CpuFeatures read_features() {
  CpuFeatures f;
  f.model = processor_model();
  f.l1d_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE);
  f.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE);
  f.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE);
  read_flags(f);
  return f;
}

/// CPUs that the cgroup (v2, then v1) pays for; infinity without a quota.
double cgroup_cpus() {
  double quota = -1.0;
  double period = 0.0;
  std::string text;
  if (std::ifstream v2{"/sys/fs/cgroup/cpu.max"}; v2 >> text >> period) {
    if (text == "max" || period <= 0.0) return INFINITY;
    return std::strtod(text.c_str(), nullptr) / period;
  }
  std::ifstream{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us"} >> quota;
  std::ifstream{"/sys/fs/cgroup/cpu/cpu.cfs_period_us"} >> period;
  return quota > 0.0 && period > 0.0 ? quota / period : INFINITY;
}

Isa requested_isa(const char* text) {
  const Isa isa = parse_isa(text);
  if (!supported(isa))
    throw InputError{fmt::format("FATHOM_ISA={}: this machine ({}) does not have it", text,
                                 cpu_features().model)};
  return isa;
}

}  // namespace

std::string_view name(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

Isa parse_isa(std::string_view text) {
  for (int i = 0; i < kIsaCount; ++i)
    if (kNames[i] == text) return static_cast<Isa>(i);
  throw InputError{
      fmt::format("unknown instruction set '{}'; expected portable, avx512, "
                  "avx512_bf16 or amx",
                  text)};
}

std::vector<std::string> CpuFeatures::flags() const {
  std::vector<std::string> out;
  const auto add = [&](bool has, const char* flag) {
    if (has) out.emplace_back(flag);
  };
  add(avx2, "avx2");
  add(avx512, "avx512");
  add(avx512_bf16, "avx512_bf16");
  add(avx512_fp16, "avx512_fp16");
  add(avx512_vnni, "avx512_vnni");
  add(amx_bf16, "amx_bf16");
  add(amx_int8, "amx_int8");
  return out;
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = read_features();
  return features;
}

bool supported(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return true;
    case Isa::avx512:
      return cpu_features().avx512;
    case Isa::avx512_bf16:
      return cpu_features().avx512_bf16;
    case Isa::amx:
      return cpu_features().amx_bf16;
  }
  return false;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> out;
  for (int i = 0; i < kIsaCount; ++i)
    if (supported(static_cast<Isa>(i))) out.push_back(static_cast<Isa>(i));
  return out;
}

Isa vector_isa() {
  static const Isa chosen = [] {
    if (!supported(Isa::avx512)) return Isa::portable;
    const bool dot = supported(Isa::avx512_bf16) && probe_dot_rate() > probe_fma_rate();
    return dot ? Isa::avx512_bf16 : Isa::avx512;
  }();
  return chosen;
}

Isa preferred_isa() {
  if (const char* text = std::getenv("FATHOM_ISA"); text != nullptr && *text != '\0')
    return requested_isa(text);
  return supported(Isa::amx) ? Isa::amx : vector_isa();
}

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(static_cast<std::size_t>(i), &set)) cpus.push_back(i);
  if (cpus.empty()) cpus.push_back(0);
  const double paid = std::max(1.0, std::ceil(cgroup_cpus()));
  if (paid < static_cast<double>(cpus.size())) cpus.resize(static_cast<std::size_t>(paid));
  return cpus;
}

}  // namespace fathom::kernels::cpu
