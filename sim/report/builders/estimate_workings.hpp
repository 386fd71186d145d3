#pragma once

#include <string>
#include <vector>

#include "report/workings.hpp"
#include "study/evaluate.hpp"

namespace fathom::report {

/// Anchors of the key figures of an estimate, in the order of their workings.
enum class FigureAnchor { latency, throughput, speed, exposed, step, evidence };
std::string anchor(FigureAnchor figure);

/// One anchor per row: "how-mla-moe-q-b-proj", unique.
std::vector<std::string> operator_anchors(const std::vector<study::OperatorRow>& rows);

/// How an estimate's key figures and the time of each of its operators came about: the formula with
/// the numbers put in, what binds, the efficiency and what it rests on. Numbers are those that
/// timing/trace.hpp kept while it computed.
Workings estimate_workings(const study::Answer& answer, const std::vector<study::OperatorRow>& rows,
                           const std::vector<std::string>& anchors);

}  // namespace fathom::report
