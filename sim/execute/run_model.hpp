#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/units.hpp"
#include "execute/generate.hpp"
#include "execute/work.hpp"
#include "model/arch_spec.hpp"
#include "report/document.hpp"

namespace fathom::execute {

struct RunRequest {
  std::string config;  // NAME|FILE as for model::load_model
  std::uint64_t seed = 1;
  std::vector<std::int64_t> prompt;  // token ids; empty: `prompt_length` random ones
  std::int64_t prompt_length = 12;
  std::int64_t new_tokens = 16;
  std::int64_t draft_tokens = -1;  // -1: one if the model has an MTP module, else none
};

/// Bytes of one cache, held and according to the analytic model.
struct CacheBytes {
  Bytes held;
  Bytes analytic;
  bool operator==(const CacheBytes&) const = default;
};

struct RunResult {
  model::ArchSpec arch;
  RunRequest request;  // with the prompt and draft count that were used
  std::int64_t parameters = 0;
  std::int64_t analytic_parameters = 0;
  Generation greedy;
  Generation speculative;  // as greedy when there are no drafts
  CacheBytes kv_main;      // after the run, in fp32
  CacheBytes kv_mtp;
  std::vector<OperatorWork> work;              // of the plain greedy run
  std::vector<OperatorWork> speculative_work;  // empty without drafts
  bool speculative_equals_greedy() const {
    return greedy.tokens == speculative.tokens && greedy.logits_hash == speculative.logits_hash;
  }
};

/// Parameters above which a run is refused: the reference kernels count every operation and are
/// meant for models that fit a moment.
inline constexpr std::int64_t kMaxParameters = 50'000'000;

/// Builds the model from its configuration and random weights, runs it plainly and with drafts, in
/// float32 with every operation counted. InputError for models without kernels here (anything but
/// the DeepSeek V2, V3, V3.2 and V4 forms), token ids outside of the vocabulary, or a model beyond
/// kMaxParameters.
RunResult run_model(const RunRequest& request);

/// Whether everything that must agree does: parameters, cache bytes, FLOPs of every operator,
/// speculative with greedy output.
bool agrees(const RunResult& result);

report::Document page(const RunResult& result);
nlohmann::json to_json(const RunResult& result);

}  // namespace fathom::execute
