#include "sweep/results.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace fathom::sweep {
namespace {

struct Line {
  std::string_view name;
  std::string_view text;
  ColumnKind kind = ColumnKind::real;
};

constexpr std::array<Line, kResults> kLines{{
    {"tpot_s", "decode: time per output token of a user"},
    {"ttft_s", "prefill: time to first token, without queueing"},
    {"tokens_per_s_per_user", "decode: output tokens of one user"},
    {"tokens_per_s_per_device", "output tokens (decode) or prompt tokens computed (prefill)"},
    {"usd_per_million_tokens", "of those tokens, at the profile's price and full use"},
    {"devices", "of one instance", ColumnKind::integer},
    {"step_s", "time between two steps' completions"},
    {"exposed_communication_s", "time of a step in which compute waits for a wire"},
    {"memory_used_bytes", "of the tightest rank"},
    {"kv_cache_bytes", "of the tightest rank"},
    {"max_sequences_per_replica", "sequences that would fit"},
    {"compute_share", "of the operators' time that arithmetic bounds"},
    {"memory_share", "of the operators' time that device memory bounds"},
    {"network_share", "of the operators' time that a wire bounds"},
}};

}  // namespace

std::string_view name(Result result) { return kLines[static_cast<std::size_t>(result)].name; }
std::string_view describe(Result result) { return kLines[static_cast<std::size_t>(result)].text; }

std::vector<Column> result_columns() {
  std::vector<Column> columns;
  for (const Line& line : kLines) columns.push_back({std::string(line.name), line.kind, {}});
  return columns;
}

void fill_results(const infer::InferEstimate& e, Usd price, std::span<double> out) {
  const auto set = [&out](Result result, double value) {
    out[static_cast<std::size_t>(result)] = value;
  };
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const bool decode = e.phase == model::Phase::decode;
  set(Result::tpot_s, decode ? e.latency.value : kNone);
  set(Result::ttft_s, decode ? kNone : e.latency.value);
  set(Result::tokens_per_s_per_user, decode ? e.per_user.value : kNone);
  set(Result::tokens_per_s_per_device, e.per_device.value);
  set(Result::usd_per_million_tokens,
      price.value > 0.0 ? price.value / 3600.0 / e.per_device.value * 1e6 : kNone);
  set(Result::devices, static_cast<double>(e.devices));
  set(Result::step_s, e.step.cycle.value);
  // latency - compute: rounding may leave a trace below 0 where nothing is exposed
  set(Result::exposed_communication_s, std::max(0.0, e.step.step.exposed_communication.value));
  set(Result::memory_used_bytes, e.memory.used().value);
  set(Result::kv_cache_bytes, e.memory.kv().value);
  set(Result::max_sequences_per_replica, e.memory.max_sequences());
  const auto& bound = e.step.step.by_bound;
  const Seconds total = std::accumulate(bound.begin(), bound.end(), Seconds{});
  const auto share = [&](timing::Bound b) { return bound[static_cast<std::size_t>(b)] / total; };
  set(Result::compute_share, share(timing::Bound::compute));
  set(Result::memory_share, share(timing::Bound::memory));
  set(Result::network_share, share(timing::Bound::network));
}

}  // namespace fathom::sweep
