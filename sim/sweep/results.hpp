#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "infer/serving_point.hpp"
#include "sweep/rows.hpp"

namespace fathom::sweep {

/// What every point answers; NaN where it makes no sense (TPOT of a prefill, cost without a price).
enum class Result : std::uint8_t {
  tpot_s,                     // decode: time per output token of a user
  ttft_s,                     // prefill: time to first token, without queueing
  tokens_per_s_per_user,      // decode
  tokens_per_s_per_device,    // output tokens, or prompt tokens computed
  usd_per_million_tokens,     // of those, at the profile's price and full use
  devices,                    // of one instance
  step_s,                     // between two steps' completions
  exposed_communication_s,    // in which compute waits for a wire, of the slowest stage's step
  memory_used_bytes,          // of the tightest rank
  kv_cache_bytes,             // of it
  max_sequences_per_replica,  // that would fit
  compute_share,              // of the operators' summed time: bound by arithmetic …
  memory_share,               // … by device memory
  network_share               // … by a wire; the rest is launch overhead
};
inline constexpr std::size_t kResults = 14;

std::string_view name(Result result);
/// One line for help and schema.
std::string_view describe(Result result);
/// Their columns, in order.
std::vector<Column> result_columns();

/// Fills `out` (kResults long). A price of 0 is unknown.
void fill_results(const infer::InferEstimate& estimate, Usd price_per_device_hour,
                  std::span<double> out);

}  // namespace fathom::sweep
