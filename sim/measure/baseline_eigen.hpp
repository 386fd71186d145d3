#pragma once

#include <cstdint>

#include "measure/kernel_case.hpp"

namespace fathom::measure {

struct HeadDims {
  std::int64_t qk = 0;
  std::int64_t v = 0;
};

// fp32 products of the library every build has.
Baseline eigen_linear(std::int64_t rows, std::int64_t n, std::int64_t k, std::uint64_t seed);
Baseline eigen_mla_decode(std::int64_t queries, std::int64_t context_tokens, HeadDims dims,
                          std::uint64_t seed);

}  // namespace fathom::measure
