#include "kernels/cpu/isa.hpp"

#include <limits>

#include "catch.hpp"
#include "core/error.hpp"
#include "kernels/cpu/bf16.hpp"
#include "kernels/cpu/probe.hpp"

namespace fathom::kernels::cpu {

TEST_CASE("every instruction set is found by its own name", "[cpu][isa]") {
  for (int i = 0; i < kIsaCount; ++i)
    CHECK(parse_isa(name(static_cast<Isa>(i))) == static_cast<Isa>(i));
  CHECK_THROWS_AS(parse_isa("sse9"), InputError);
}

TEST_CASE("what is preferred is supported, and portable always is", "[cpu][isa]") {
  CHECK(supported(Isa::portable));
  CHECK(supported(preferred_isa()));
  CHECK(supported(vector_isa()));
  CHECK(vector_isa() != Isa::amx);
  CHECK(supported_isas().front() == Isa::portable);
}

TEST_CASE("a processor with the wider instruction has the narrower one", "[cpu][isa]") {
  const CpuFeatures& f = cpu_features();
  CHECK((!f.amx_bf16 || f.avx512));
  CHECK((!f.avx512_bf16 || f.avx512));
  CHECK((!f.avx512 || f.avx2));
}

TEST_CASE("this process may use at least one CPU", "[cpu][isa]") {
  CHECK_FALSE(usable_cpus().empty());
}

TEST_CASE("multiply-adds take time", "[cpu][isa]") {
  CHECK(probe_fma_rate() > 1e8);   // a 30-year-old processor
  CHECK(probe_fma_rate() < 1e12);  // 96 FLOP a cycle at 10 GHz
}

TEST_CASE("bf16 rounds to nearest, ties to even", "[cpu][bf16]") {
  CHECK(to_bf16(1.0F) == 0x3f80);
  CHECK(to_bf16(1.00390625F) == 0x3f80);  // 1 + 2^-8 lies between 1 and 1 + 2^-7: the even one
  CHECK(to_bf16(1.01171875F) == 0x3f82);  // 1 + 3 * 2^-8: between 1 + 2^-7 and 1 + 2^-6
  CHECK(to_bf16(1.00390637F) == 0x3f81);  // just above the middle
  CHECK(to_float(to_bf16(-2.5F)) == -2.5F);
  CHECK(to_float(to_bf16(std::numeric_limits<float>::infinity())) ==
        std::numeric_limits<float>::infinity());
  const float nan = to_float(to_bf16(std::numeric_limits<float>::quiet_NaN()));
  CHECK(nan != nan);
}

}  // namespace fathom::kernels::cpu
