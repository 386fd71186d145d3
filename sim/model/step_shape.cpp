#include "model/step_shape.hpp"

#include <algorithm>
#include <cmath>

#include "ops/attention.hpp"

namespace fathom::model {
namespace {

// sum over s = 1..x of floor(s / m): full blocks contribute m q (q-1) / 2, the rest q each.
double sum_of_blocks(double x, double m) {
  const double q = std::floor(x / m);
  const double rest = x - q * m;
  return m * q * (q - 1.0) / 2.0 + q * (rest + 1.0);
}

double blocks_seen(double new_tokens, double prefix, double ratio, double cap) {
  const double end = prefix + new_tokens;
  if (cap <= 0.0) return sum_of_blocks(end, ratio) - sum_of_blocks(prefix, ratio);
  const double flat_from =
      std::max(cap * ratio - 1.0, 0.0);  // from here on every query sees `cap` blocks
  const double lo = std::min(prefix, flat_from);
  const double hi = std::min(end, flat_from);
  return sum_of_blocks(hi, ratio) - sum_of_blocks(lo, ratio) + cap * (end - std::max(prefix, hi));
}

// sum over positions p = 1..x of the place inside the chunk, ((p - 1) mod chunk) + 1
double sum_in_chunks(double x, double chunk) {
  const double full = std::floor(x / chunk);
  const double rest = x - full * chunk;
  return full * chunk * (chunk + 1.0) / 2.0 + rest * (rest + 1.0) / 2.0;
}

template <class F>
double total(const StepShape& step, F per_sequence) {
  double sum = 0.0;
  for (const SequenceGroup& g : step.groups) sum += g.count * per_sequence(g);
  return sum;
}

}  // namespace

double sequences(const StepShape& step) {
  return total(step, [](const SequenceGroup&) { return 1.0; });
}

double tokens(const StepShape& step) {
  return total(step, [](const SequenceGroup& g) { return g.new_tokens; });
}

double kv_rows(const StepShape& step, double cap) {
  return total(step, [cap](const SequenceGroup& g) {
    const double rows = g.context_tokens + g.new_tokens;
    // the queries of one step share most of a window: together they read its keys plus their own
    return cap > 0.0 ? std::min(rows, cap + g.new_tokens - 1.0) : rows;
  });
}

double visible_pairs(const StepShape& step, double cap) {
  return total(step, [cap](const SequenceGroup& g) {
    return ops::capped_pairs(g.new_tokens, g.context_tokens, cap);
  });
}

double block_pairs(const StepShape& step, double ratio, double cap) {
  return total(step, [=](const SequenceGroup& g) {
    return blocks_seen(g.new_tokens, g.context_tokens, ratio, cap);
  });
}

double block_rows(const StepShape& step, double ratio) {
  return total(step, [ratio](const SequenceGroup& g) {
    return std::floor((g.context_tokens + g.new_tokens) / ratio);
  });
}

double chunked_pairs(const StepShape& step, double chunk) {
  return total(step, [chunk](const SequenceGroup& g) {
    return sum_in_chunks(g.context_tokens + g.new_tokens, chunk) -
           sum_in_chunks(g.context_tokens, chunk);
  });
}

}  // namespace fathom::model
