#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/arch_spec.hpp"
#include "study/request_trace.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// Steady traffic. Exactly one of rate and concurrency is set. Lengths are two means, a histogram
/// (`lengths`) or those of a trace.
struct Traffic {
  double input_tokens = 0.0;           // ISL: tokens of a prompt, mean
  double output_tokens = 0.0;          // OSL: tokens generated per request, mean
  double prefix_hit = 0.0;             // share of a prompt whose KV is already cached, 0 to 1
  double requests_per_s = 0.0;         // mean; 0: follows from concurrency
  double concurrency = 0.0;            // requests in the system at any time; 0: the rate is given
  double peak_factor = 1.0;            // rate to be served over the mean rate
  double arrival_scv = 1.0;            // squared coefficient of variation of gaps; 1: Poisson
  bool queueing = false;               // latencies include the wait for a free instance
  std::optional<LengthMix> mix;        // absent: all requests are alike
  std::vector<LengthShare> histogram;  // as given
  std::string trace;                   // file, as given
  std::string trace_hash;
  std::int64_t trace_requests = 0;
  std::int64_t trace_skipped = 0;
  std::optional<Arrivals> arrivals;  // of the trace
  bool operator==(const Traffic&) const = default;
};

/// Tokens of a prompt that need no prefill. At least one is always computed: it gives the answer.
double cached_tokens(const Traffic& traffic);
/// What a decode step finds in the cache, averaged over the lives of the requests in a batch:
/// ISL + OSL/2 when all are alike; else longer outputs stay longer and count for more.
double mean_context_tokens(const Traffic& traffic);
/// What the cache must hold for a request in the batch when it ends: ISL + OSL, averaged likewise.
double longest_context_tokens(const Traffic& traffic);

/// `folder`: where a trace may lie besides the working directory (that of the request's file).
/// InputError with the reader's pointer.
Traffic read_traffic(JsonReader in, const model::ArchSpec& arch, const std::string& folder);
nlohmann::json to_json(const Traffic& traffic);

}  // namespace fathom::study
