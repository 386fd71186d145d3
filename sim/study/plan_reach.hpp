#pragma once

#include "study/plan_pairs.hpp"

namespace fathom::study {

/// Why nothing was found on a machine and what would help, most basic cause first; with the best
/// that each latency can be alone. `result` has its serving set.
void explain_nothing(const PlanRequest& request, const HardwareResult& machine,
                     const PairFronts& fronts, ServingResult& result);

}  // namespace fathom::study
