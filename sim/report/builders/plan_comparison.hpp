#pragma once

#include "report/document.hpp"
#include "study/plan_figures.hpp"

namespace fathom::report {

/// Two answers side by side, with ratios.
Document comparison_document(const study::PlanComparison& comparison);

}  // namespace fathom::report
