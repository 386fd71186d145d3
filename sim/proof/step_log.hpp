#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "measure/stopwatch.hpp"

namespace fathom::proof {

/// What one executed kernel took, and which operators of the analytic graph (model/lower.hpp) it
/// stands for: a fused kernel for several.
struct Step {
  std::vector<std::string_view> nodes;
  double seconds = 0.0;
};

/// Seconds of each step of a layer, in order. Without a clock only the names are kept.
struct StepLog {
  measure::Clock clock = nullptr;
  std::vector<Step> steps;
};

/// Runs `work` as the step that stands for `nodes`; `log` may be null.
template <class Work>
void step(StepLog* log, std::initializer_list<std::string_view> nodes, Work work) {
  const double start = log != nullptr && log->clock != nullptr ? log->clock() : 0.0;
  work();
  if (log == nullptr) return;
  const double end = log->clock != nullptr ? log->clock() : 0.0;
  log->steps.push_back({nodes, end - start});
}

}  // namespace fathom::proof
