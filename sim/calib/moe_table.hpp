#pragma once

#include <string>

#include "calib/csv.hpp"
#include "calib/sheet.hpp"
#include "forms/expert_load.hpp"

namespace fathom::calib {

/// How a layout spells the columns of a routed-expert row.
struct MoeColumns {
  std::string_view tokens, hidden, inter, topk, experts, tp, ep, distribution;
};

/// A row of routed experts: the load of the most loaded rank is drawn from `distribution`, balanced
/// or power_law_<exponent>. The caller fills group and latency.
Draft moe_draft(const CsvRow& row, const MoeColumns& columns, forms::ExpertLoads& loads);

}  // namespace fathom::calib
