#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "infer/serving_point.hpp"
#include "report/lane_plot.hpp"
#include "study/scenario.hpp"
#include "validate/interval.hpp"

namespace fathom::validate {

/// How far off an estimate may be for what its kernels' times rest on: p10 to p90 over draws of the
/// families' errors, wider where efficiencies were taken from another device. Load, batch and
/// software are as the scenario says them.
struct EstimateInterval {
  Interval latency_s;   // time per output token or to the first one
  Interval per_device;  // tokens per second
  int draws = 0;
};

/// Nothing where the scenario is infeasible.
std::optional<EstimateInterval> estimate_interval(const study::Scenario& scenario, int count = 64);

/// "p10 to p90: 48.1 to 55.9 ms …": one sentence for a page.
std::string describe(const EstimateInterval& interval, bool decode);
/// Both intervals as shares of the estimate, so that one axis holds them.
report::LanePlot interval_plot(const EstimateInterval& interval,
                               const infer::InferEstimate& estimate);
nlohmann::json to_json(const EstimateInterval& interval, bool decode);

}  // namespace fathom::validate
