#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.hpp"

namespace fathom::kernels::ref {

/// How many of K drafted tokens were accepted, step by step. Draft i can be accepted only if all
/// before it were, so rates are conditional: of the steps that reached draft i, the share that
/// accepted it (what the DeepSeek-V3 report, section 5.4.3, quotes as 85 to 90 % for i = 0).
struct AcceptanceStats {
  std::vector<std::int64_t> histogram;  // [K + 1]: steps that accepted exactly i drafts
  std::vector<double> rates;            // [K]: conditional; 0 where no step got that far
  double mean_accepted = 0.0;
};

/// Drafts accepted per step on average when draft i is accepted with probability `rates[i]` given
/// that all before it were: sum over i of rates[0] ... rates[i]. A step yields one token more.
inline double expected_accepted(std::span<const double> rates) {
  double reached = 1.0;
  double sum = 0.0;
  for (const double rate : rates) sum += (reached *= rate);
  return sum;
}

/// The same for one rate at every position: a (1 - a^K) / (1 - a) (arXiv 2211.17192, equation 1,
/// less the bonus token).
inline double expected_accepted(double rate, std::int64_t drafts) {
  return expected_accepted(std::vector<double>(static_cast<std::size_t>(drafts), rate));
}

/// Statistics of a trace: `accepted` drafts per step, each at most `drafts`.
inline AcceptanceStats acceptance_stats(std::span<const std::int64_t> accepted,
                                        std::int64_t drafts) {
  AcceptanceStats out;
  out.histogram.resize(static_cast<std::size_t>(drafts) + 1);
  for (const std::int64_t a : accepted) {
    FATHOM_EXPECT(a >= 0 && a <= drafts, "more accepted than drafted");
    ++out.histogram[static_cast<std::size_t>(a)];
  }
  auto reached = static_cast<std::int64_t>(accepted.size());
  for (std::int64_t i = 0; i < drafts; ++i) {
    const std::int64_t passed = reached - out.histogram[static_cast<std::size_t>(i)];
    out.rates.push_back(reached == 0 ? 0.0
                                     : static_cast<double>(passed) / static_cast<double>(reached));
    reached = passed;
  }
  out.mean_accepted = expected_accepted(out.rates);
  return out;
}

}  // namespace fathom::kernels::ref
