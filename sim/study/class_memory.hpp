#pragma once

#include <vector>

#include "study/evaluate.hpp"

namespace fathom::study {

/// What each rank class of the answer holds, in the order of answer.model.classes. Empty when the
/// point cannot run.
std::vector<mapping::MemoryFootprint> class_memory(const Scenario& scenario, const Answer& answer);

}  // namespace fathom::study
