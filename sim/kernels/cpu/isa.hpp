#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::kernels::cpu {

/// Instruction sets that the fast kernels are written for, slowest first. Each has source files of
/// its own, compiled for it alone; which one runs is chosen at run time.
enum class Isa : std::uint8_t {
  portable,     // plain C++ and Eigen, any processor
  avx512,       // bf16 widened to fp32, fused multiply-add
  avx512_bf16,  // pairs of bf16 multiplied by vdpbf16ps: half of the fp32 rate on Sapphire Rapids,
                // twice of it on Zen 4, so it is measured before it is chosen
  amx,          // tiles of 16 x 32 bf16 by tdpbf16ps; few rows fall back to one of the above
};
inline constexpr int kIsaCount = 4;
std::string_view name(Isa isa);
/// InputError naming the known ones.
Isa parse_isa(std::string_view text);

/// What CPUID, XCR0 and the kernel (arch_prctl for AMX tile state) say.
struct CpuFeatures {
  std::string model;
  bool avx2 = false;
  bool avx512 = false;       // F, BW, VL, DQ and ZMM state enabled
  bool avx512_bf16 = false;  // ... and vdpbf16ps
  bool avx512_fp16 = false;
  bool avx512_vnni = false;
  bool amx_bf16 = false;  // ... tile state enabled, and granted to this process
  bool amx_int8 = false;
  std::int64_t l1d_bytes = 0;  // per core; 0: unknown
  std::int64_t l2_bytes = 0;
  std::int64_t l3_bytes = 0;
  std::vector<std::string> flags() const;
};
/// Asked once; asking also requests the AMX tile state of the process.
const CpuFeatures& cpu_features();

bool supported(Isa isa);
/// All supported ones, portable first.
std::vector<Isa> supported_isas();
/// The fastest supported one. Between the two AVX-512 forms a burst of a few hundred microseconds
/// decides, once per process. FATHOM_ISA=name overrides; InputError when this machine has it not.
Isa preferred_isa();
/// The AVX-512 form that serves few rows beside AMX tiles; portable when there is none.
Isa vector_isa();

/// CPUs this process may use: the affinity mask, cut by the cgroup's CPU quota (rounded up).
std::vector<int> usable_cpus();

}  // namespace fathom::kernels::cpu
