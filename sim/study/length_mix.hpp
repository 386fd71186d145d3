#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "study/first_token.hpp"

namespace fathom::study {

/// Requests of one length.
struct LengthShare {
  double input_tokens = 0.0;
  double output_tokens = 0.0;
  double weight = 1.0;  // of any scale
  bool operator==(const LengthShare&) const = default;
};

/// What sizing needs of requests that are not all alike. Steps are still evaluated at one
/// representative length each:
///   prefill  the mean prompt; the spread enters the wait (prompt_scv) and the tail of TTFT
///   decode   the mean over residents: a request stays in the batch in proportion to its output, so
///            prompts count with weight x output tokens
struct LengthMix {
  double input_tokens = 0.0;   // mean
  double output_tokens = 0.0;  // mean
  double longest_tokens = 0.0;
  double resident_input = 1.0;   // prompt of a request in the batch, over the mean prompt
  double resident_output = 1.0;  // ... its output, over the mean output: 1 + output_scv
  double prompt_scv = 0.0;       // squared coefficients of variation
  double output_scv = 0.0;
  std::vector<PromptShare> prompts;  // at most kMostPrompts, shortest first; empty: all alike
  static constexpr std::size_t kMostPrompts = 64;
  bool operator==(const LengthMix&) const = default;
};

/// Of at least one request, lengths and weights above 0.
LengthMix mix_of(std::span<const LengthShare> lengths);

}  // namespace fathom::study
