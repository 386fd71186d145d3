#pragma once

#include "report/document.hpp"
#include "validate/run.hpp"

namespace fathom::validate {

/// Summary by category, rows outside of their tolerance, parity plots, the production day, every
/// row and every gap.
report::Document page(const LedgerReport& report);

/// The production day alone: nodes, cost, income and margin, published and ours.
std::vector<report::Block> day_section(const DayReport& day);

}  // namespace fathom::validate
