#pragma once

#include <cstdint>
#include <vector>

namespace fathom::model {

enum class Phase : std::uint8_t { prefill, decode };

/// `count` equal sequences that bring `new_tokens` each on top of `context_tokens` already in the
/// cache. A plain decode step has new_tokens = 1, one with d drafts 1 + d; a chunk of a prompt has
/// the earlier chunks (and prefix-cache hits) as context. Counts and lengths are doubles because a
/// rank's share of a balanced split need not be whole.
struct SequenceGroup {
  double count = 0.0;
  double new_tokens = 1.0;
  double context_tokens = 0.0;
  bool operator==(const SequenceGroup&) const = default;
};

struct StepShape {
  Phase phase = Phase::decode;
  std::vector<SequenceGroup> groups;
  std::int64_t draft_tokens = 0;  // MTP drafts produced for the next step (decode only)
  bool operator==(const StepShape&) const = default;
};

double sequences(const StepShape& step);
double tokens(const StepShape& step);
/// Cached rows after the step, each sequence's at most `cap` (0: no cap).
double kv_rows(const StepShape& step, double cap = 0.0);
/// (query, key) pairs when a query sees at most `cap` keys (0: all earlier ones).
double visible_pairs(const StepShape& step, double cap = 0.0);
/// Pairs with blocks of `ratio` tokens, visible once complete, at most `cap` blocks a query (V4
/// compressors).
double block_pairs(const StepShape& step, double ratio, double cap = 0.0);
/// Complete blocks in the cache after the step.
double block_rows(const StepShape& step, double ratio);
/// Pairs of chunked-local attention: a query sees its own chunk of `chunk` positions only
/// (Llama-4).
double chunked_pairs(const StepShape& step, double chunk);

}  // namespace fathom::model
