#pragma once

#include <vector>

#include "forms/form.hpp"

namespace fathom::forms {

/// Distinct groups among `groups` that topk of `experts` experts, evenly spread, hit on average.
double distinct_groups(double topk, double groups, double experts);

/// DeepEP's all-to-all, low-latency and normal kernels, dispatch and combine, one node or several.
std::vector<Form> deepep_forms();

}  // namespace fathom::forms
