#pragma once

#include <span>
#include <vector>

#include "core/units.hpp"
#include "study/queueing.hpp"

namespace fathom::study {

/// A share of the requests whose prompts need `work` times the mean prefill.
struct PromptShare {
  double share = 1.0;
  double work = 1.0;
  bool operator==(const PromptShare&) const = default;
};

/// Time to first token as a random variable, its parts independent:
///   fixed + own x (work of the prompt) + under_way x (uniform in 0 … 1) + wait
struct FirstToken {
  Seconds fixed;
  Seconds own;        // of a mean prompt
  Seconds under_way;  // longest time that a step already started can take
  Wait wait;
  std::span<const PromptShare> prompts;  // empty: all are mean
};

Seconds mean(const FirstToken& first);
/// P(TTFT > t), in closed form per share of prompts.
double beyond(const FirstToken& first, Seconds t);
/// The time that the share q of requests does not exceed; infinite for an endless wait.
Seconds percentile(const FirstToken& first, double q);

}  // namespace fathom::study
