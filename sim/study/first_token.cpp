#include "study/first_token.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fathom::study {
namespace {

constexpr std::array kMeanPrompt{PromptShare{}};

std::span<const PromptShare> prompts_of(const FirstToken& f) {
  return f.prompts.empty() ? std::span<const PromptShare>(kMeanPrompt) : f.prompts;
}

// P(under_way x uniform + wait > t): the tail of the wait, averaged over the start of the step.
double late(const FirstToken& f, Seconds t) {
  if (t < Seconds{}) return 1.0;
  const double a = f.under_way.value;
  if (a <= 0.0) return beyond(f.wait, t);
  const double s = t.value;
  const double not_yet = std::max(0.0, 1.0 - s / a);  // the step alone takes longer
  const double p = f.wait.probability;
  if (std::isinf(f.wait.mean.value)) return 1.0;
  if (f.wait.mean <= Seconds{} || p <= 0.0) return not_yet;
  const double decay = p / f.wait.mean.value;
  const double covered = std::min(s, a);  // of the step, in which the wait decides
  const double tail = p * std::exp(-decay * (s - covered)) * -std::expm1(-decay * covered);
  return not_yet + tail / (decay * a);
}

}  // namespace

Seconds mean(const FirstToken& f) {
  double work = 0.0;
  for (const PromptShare& p : prompts_of(f)) work += p.share * p.work;
  return f.fixed + f.own * work + f.under_way / 2.0 + f.wait.mean;
}

double beyond(const FirstToken& f, Seconds t) {
  double out = 0.0;
  for (const PromptShare& p : prompts_of(f)) {
    out += p.share * late(f, t - f.fixed - f.own * p.work);
  }
  return std::min(out, 1.0);
}

Seconds percentile(const FirstToken& f, double q) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (std::isinf(f.wait.mean.value)) return Seconds{kInfinity};
  double longest = 0.0;
  for (const PromptShare& p : prompts_of(f)) longest = std::max(longest, p.work);
  // beyond this the wait alone would have to exceed its own percentile
  Seconds high = f.fixed + f.own * longest + f.under_way + percentile(f.wait, q);
  Seconds low;
  constexpr int kHalvings = 60;  // past the last bit of a double
  for (int i = 0; i < kHalvings; ++i) {
    const Seconds middle = (low + high) / 2.0;
    (beyond(f, middle) > 1.0 - q ? low : high) = middle;
  }
  return high;
}

}  // namespace fathom::study
