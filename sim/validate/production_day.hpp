#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/units.hpp"
#include "study/scenario.hpp"

namespace fathom::validate {

/// Prices of one million tokens.
struct TokenPrices {
  Usd input_hit;
  Usd input_miss;
  Usd output;
};

/// A day of disaggregated serving: what came in, what went out, on which two units, at what prices.
struct ProductionDay {
  std::string name;
  double input_tokens = 0.0;
  double hit_tokens = 0.0;  // of them: found in the context cache, not computed
  double output_tokens = 0.0;
  study::Scenario prefill;
  study::Scenario decode;
  Usd gpu_hour;
  TokenPrices prices;
  double published_nodes = 0.0;                          // mean over the day
  std::map<std::string, double, std::less<>> published;  // other figures, by the keys of
                                                         // to_json(DayEstimate)
};

/// {"name", "input_tokens", "hit_tokens", "output_tokens", "prefill": EXAMPLE, "decode": EXAMPLE,
/// "gpu_hour_usd", "prices_usd_per_million": {"input_hit", "input_miss", "output"}, "published":
/// {"nodes", …}}.
ProductionDay parse_day(const nlohmann::json& document, std::string_view where);

/// What our model makes of it. Units run at the rate of their scenario all day: no idle time, no
/// spare nodes.
struct DayEstimate {
  std::string infeasible;         // why a unit cannot run; empty: it can
  double prefill_per_node = 0.0;  // tokens computed per second and node
  double decode_per_node = 0.0;
  double speed_per_user = 0.0;  // tokens/s
  double prefill_nodes = 0.0;
  double decode_nodes = 0.0;
  double nodes = 0.0;
  double gpus_per_node = 0.0;
  Usd cost;
  Usd published_cost;  // of the published number of nodes
  Usd income;
  double margin = 0.0;            // (income - cost) / cost
  double published_margin = 0.0;  // with the published number of nodes
  double hit_rate = 0.0;
  double implied_prefill_per_node = 0.0;  // computed tokens if the published nodes beyond our
                                          // decode nodes did all of the prefill
};
DayEstimate estimate(const ProductionDay& day);

nlohmann::json to_json(const DayEstimate& day);

}  // namespace fathom::validate
