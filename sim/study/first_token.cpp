#include "study/first_token.hpp"

#include <algorithm>
#include <array>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
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
  if (f.prompts.empty() && f.under_way <= Seconds{}) return f.fixed + f.own + percentile(f.wait, q);
  double longest = 0.0;
  double shortest = kInfinity;
  for (const PromptShare& p : prompts_of(f)) {
    longest = std::max(longest, p.work);
    shortest = std::min(shortest, p.work);
  }
  const auto excess = [&](double t) { return beyond(f, Seconds{t}) - (1.0 - q); };
  // No request is earlier, and beyond the other end the wait would exceed its own percentile.
  const double low = (f.fixed + f.own * shortest).value;
  const double high = (f.fixed + f.own * longest + f.under_way + percentile(f.wait, q)).value;
  if (excess(low) <= 0.0 || excess(high) >= 0.0) return Seconds{excess(low) <= 0.0 ? low : high};
  constexpr int kBits = 30;  // nine digits of a time
  std::uintmax_t steps = 100;
  return Seconds{boost::math::tools::toms748_solve(
                     excess, low, high, boost::math::tools::eps_tolerance<double>(kBits), steps)
                     .second};
}

}  // namespace fathom::study
