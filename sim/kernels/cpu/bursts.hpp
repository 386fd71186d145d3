#pragma once

#include <cstddef>
#include <cstdint>

// The machine's ceilings as code: each burst does nothing but the operation that it is named for,
// as often as asked, and returns FLOPs (or bytes) done. The caller holds the clock. One namespace
// per instruction set; call only what the processor has. Written with plain types only, because
// the sources are compiled for one instruction set each and must not leave inline functions behind
// that other translation units could pick up.
namespace fathom::kernels::cpu {

namespace portable {
double fma_burst(std::int64_t rounds);  // fp32 multiply-adds of whatever width the build allows
double read_burst(const void* data, std::int64_t bytes, int streams);
}  // namespace portable

namespace avx512 {
double fma_burst(std::int64_t rounds);   // fp32, 12 independent chains of 16 lanes
double fp16_burst(std::int64_t rounds);  // vfmadd231ph; only with AVX512-FP16
double int8_burst(std::int64_t rounds);  // vpdpbusd; only with AVX512-VNNI
double read_burst(const void* data, std::int64_t bytes, int streams);  // interleaved, sequential
double copy_burst(const void* from, void* to, std::int64_t bytes);     // read plus written bytes
}  // namespace avx512

namespace avx512_bf16 {
double dot_burst(std::int64_t rounds);  // vdpbf16ps, 12 independent chains
}

namespace amx {
/// Registers only: 2 x 2 accumulators, no loads.
double tile_burst(std::int64_t rounds);
double tile_int8_burst(std::int64_t rounds);  // tdpbssd; only with AMX-INT8
/// What a matrix product really sees: A from L1, B from L2, C loaded and stored every 8 k-steps.
/// `b` holds b_bytes of any finite values, a multiple of 16 KiB that fits L2; `scratch` 20 KiB.
double tile_l2_burst(const void* b, std::int64_t b_bytes, void* scratch, std::int64_t rounds);
}  // namespace amx

}  // namespace fathom::kernels::cpu
