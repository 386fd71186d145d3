#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "study/length_mix.hpp"

namespace fathom::study {

/// When the requests of a trace arrived.
struct Arrivals {
  double requests_per_s = 0.0;  // mean over the trace
  double scv = 1.0;             // of the gaps, changes of the rate included
  double busiest = 1.0;         // rate of the busiest minute over the mean; 1 if below ten minutes
  double duration_s = 0.0;
  bool operator==(const Arrivals&) const = default;
};

/// Requests that were served somewhere.
struct RequestTrace {
  std::string file;  // as the request names it
  std::string hash;
  std::vector<LengthShare> requests;
  std::int64_t skipped = 0;          // without a prompt or an output: failed or cancelled
  std::optional<Arrivals> arrivals;  // the trace has times, and enough of them for an scv
};

/// CSV with a header, or JSON lines (*.jsonl). Columns, in any order, others ignored:
///   input_tokens   | prompt_tokens | input_length | "Request tokens" | ContextTokens
///   output_tokens  | output_length | "Response tokens" | GeneratedTokens
///   arrival_s      | arrival_ms | arrival_us | timestamp (ms: Mooncake) | Timestamp (s: BurstGPT);
///                    optional
/// InputError with file:line for anything else. Dates are refused: convert them to seconds.
RequestTrace read_request_trace(const std::string& file);
RequestTrace parse_request_trace(std::string_view text, const std::string& file);

}  // namespace fathom::study
