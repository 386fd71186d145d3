#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "infer/step_model.hpp"

namespace fathom::infer {

/// A steady decode batch: every sequence of the instance produces tokens at the same context
/// length.
struct DecodeQuery {
  double sequences = 1.0;         // of the whole instance
  double context_tokens = 0.0;    // in the cache before the step
  std::int64_t draft_tokens = 0;  // MTP drafts verified per step
  double acceptance = 0.0;        // probability that a draft is accepted, each given the one before
  double reserve_tokens =
      0.0;  // cache space per sequence beyond context_tokens (output still to come)
};

/// Prompts that arrive together. `cached_tokens` of each are already in the cache (prefix hit).
struct PrefillQuery {
  double prompts = 1.0;  // of the whole instance
  double prompt_tokens = 0.0;
  double cached_tokens = 0.0;
  double chunk_tokens = 0.0;  // longest piece of a prompt per step; 0: whole prompts
};

struct InferEstimate {
  model::Phase phase = model::Phase::decode;
  StepTime step;  // decode: one step; prefill: the last chunk's step
  Seconds
      latency;  // decode: TPOT (time per output token of a user); prefill: TTFT without queueing
  double accepted_tokens = 1.0;  // per sequence and decode step
  double tokens_per_step = 0.0;  // whole instance: output tokens, or prompt tokens computed
  TokensPerSecond per_device;  // output tokens, or prompt tokens computed (cache hits not counted)
  TokensPerSecond per_user;    // decode only
  mapping::MemoryFootprint memory;  // of the tightest rank class
  std::size_t memory_class = 0;
  std::int64_t devices = 1;
};

/// A point that cannot run is a value: a row in a sweep, exit code 3 for a single run.
struct Infeasible {
  std::string reason;
};

using InferOutcome = std::variant<InferEstimate, Infeasible>;

/// Expected tokens per step with k drafts, each accepted with probability p given its predecessor:
/// (1 - p^(k+1)) / (1 - p).
double expected_accepted(std::int64_t draft_tokens, double acceptance);

InferOutcome decode(StepModel& model, const DecodeQuery& query);
InferOutcome prefill(StepModel& model, const PrefillQuery& query);

/// The tightest class: least room left.
mapping::MemoryFootprint tightest(const StepModel& model, const mapping::MemoryQuery& query,
                                  std::size_t* which = nullptr);

nlohmann::json to_json(const InferEstimate& estimate);

}  // namespace fathom::infer
