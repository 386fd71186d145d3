#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "hw/cluster.hpp"

namespace fathom::study {

/// Independent causes of error in a predicted time. Operators of one cause err together.
enum class Cause : std::uint8_t {
  gemm,
  grouped_gemm,
  attention_core,
  elementwise,
  communication,
  all_to_all_sm,  // the SM-busy part of low-latency exchanges
  load,           // imbalance of expert ranks
  software,       // host time, kernels that are not fused
  batch,
  acceptance,
  shape,  // what two shapes of one family do not share
};
inline constexpr std::size_t kCauseCount = 11;
std::string_view name(Cause cause);
/// Log-normal sigma of a family's time.
double sigma(Cause cause);

/// One standard normal number per cause.
using Draw = std::array<double, kCauseCount>;

/// `count` draws, stratified in every cause; the same for the same seed everywhere.
std::vector<Draw> draws(int count, std::uint64_t seed);

/// The machine as it would be if each cause had come out as drawn; every kernel besides takes
/// `everything` times as long. Scheduling is not linear: ask for the step again.
void vary(hw::Cluster& cluster, const Draw& draw, double everything = 1.0);

/// How each parameter of each form moves with time: +1 a time, -1 a rate, 0 neither. Worth keeping
/// where many draws vary one cluster.
using FormPowers = std::array<std::vector<int>, hw::kFormUseCount>;
FormPowers form_powers(const hw::FormTable& forms);
void vary(hw::Cluster& cluster, const Draw& draw, const FormPowers& powers, double everything);
/// Undoes vary() on a copy of `original`, ready for the next draw.
void restore(hw::Cluster& cluster, const hw::Cluster& original);

/// Every family of kernels at the quantile q of its time, all at once: slower for q > 1/2, and
/// slower than the quantile q of a step, in which families err independently.
hw::Cluster at_quantile(const hw::Cluster& cluster, double q);

}  // namespace fathom::study
