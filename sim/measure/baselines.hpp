#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "measure/kernel_case.hpp"

namespace fathom::measure {

/// The same product by libraries: Eigen always, oneDNN and OpenBLAS where the build found them and
/// their modules lie beside the program. None with several threads: the libraries bring pools of
/// their own, and two pools on the same CPUs measure each other.
std::vector<Baseline> linear_baselines(std::int64_t rows, std::int64_t n, std::int64_t k,
                                       const Bench& bench);

/// Absorbed MLA decode as it is usually written down: two fp32 products and a softmax, by Eigen.
std::vector<Baseline> mla_decode_baselines(std::int64_t queries, std::int64_t context_tokens,
                                           std::int64_t qk_dim, std::int64_t v_dim,
                                           const Bench& bench);

/// "oneDNN bf16 2.6.3", …: what is at hand here.
std::vector<std::string> baseline_libraries();

}  // namespace fathom::measure
