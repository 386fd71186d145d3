#pragma once

#include "report/document.hpp"
#include "study/evaluate.hpp"

namespace fathom::report {

/// One scenario's answer: the time and what it consists of, operator by operator; memory; overlap;
/// assumptions and sources. The answer must be feasible.
Document estimate_page(const study::Scenario& scenario, const study::Answer& answer);

/// "deepseek-v3 · decode · 16 × 8 h800, EP128 DP128 TBO, 128 sequences/GPU, context 4 Ki"
std::string scenario_line(const study::Scenario& scenario);

}  // namespace fathom::report
