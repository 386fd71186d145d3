#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "calib/csv.hpp"
#include "calib/sheet.hpp"

namespace fathom::calib {

/// Whether a header is (meant to be) that of a generic table: it has `op`, or a latency column with
/// its unit, latency_us, _ms or _s.
bool looks_generic(const std::vector<std::string>& header);

/// The draft of a generic row: op (a family of forms), dtype, one latency column, the form's shape
/// columns, and where the family has them kv_dtype and kernel. Routed experts give tokens, hidden,
/// inter, topk, experts, tp, ep, distribution. docs/calibration.md lists the columns.
Draft generic_draft(const CsvRow& row, forms::ExpertLoads& loads);

}  // namespace fathom::calib
