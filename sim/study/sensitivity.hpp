#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/plan_search.hpp"

namespace fathom::study {

/// What the answer becomes when one input moves.
struct Moved {
  std::int64_t devices = 0;  // of the smallest cluster; 0: nothing meets the targets any more
  std::optional<double> usd_per_million;  // of the cheapest, input + output; absent: no price
  // Devices over the multiple of the traffic that the answer's own cluster serves within the
  // targets, as if instances could be divided, and their cost; 0 or absent when it does not fit.
  double load_devices = 0.0;
  std::optional<double> load_usd_per_million;
};

struct SensitivityRow {
  std::string input;
  std::string low_text;  // what moved: "-20 %", "p10"
  std::string high_text;
  Moved low;
  Moved high;
  // The largest |ln| of a ratio to the answer as it is, of devices or of USD per million tokens;
  // infinite where nothing meets the targets.
  double swing = 0.0;
  double load_swing = 0.0;  // the same of the two load figures
};

struct SensitivityOptions {
  double step = 0.2;    // every input times 1 - step and 1 + step
  bool replan = false;  // search everything again; else only the layouts of the answer's cluster
  int threads = 0;
  std::function<void(double)> progress;
};

struct Sensitivity {
  SensitivityOptions options;
  Moved base;
  std::vector<SensitivityRow> rows;  // largest swing first
};

/// Moves one input at a time and sizes the smallest cluster's layouts (tp, pp, dp, ep on its
/// machine, any batch, drafts and chunks of the request) again. Times of kernel families move
/// between p10 and p90 of their calibrated errors, all else by `step`: traffic, lengths, prefix
/// hits, acceptance, expert load, price, memory and its bandwidth, peak FLOP/s, links. Inputs that
/// are 0 or sampled stay. Nothing without a cluster.
std::optional<Sensitivity> sensitivity_of(const PlanResult& result,
                                          const SensitivityOptions& options);

nlohmann::json to_json(const Sensitivity& sensitivity);

}  // namespace fathom::study
