#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/workings.hpp"
#include "study/evaluate.hpp"

namespace fathom::report {

/// Anchors of the key figures of an estimate, in the order of their workings.
enum class FigureAnchor { latency, throughput, speed, exposed, step, evidence };
/// Anchors begin with `prefix`, so that two estimates on one page do not meet.
std::string anchor(FigureAnchor figure, std::string_view prefix = "how");

/// One anchor per row: "how-mla-moe-q-b-proj", unique.
std::vector<std::string> operator_anchors(const std::vector<study::OperatorRow>& rows,
                                          std::string_view prefix = "how");

/// How an estimate's key figures and the time of each of its operators came about: the formula with
/// the numbers put in, what binds, the efficiency and what it rests on. Numbers are those that
/// timing/trace.hpp kept while it computed.
Workings estimate_workings(const study::Answer& answer, const std::vector<study::OperatorRow>& rows,
                           const std::vector<std::string>& anchors,
                           std::string_view prefix = "how");

}  // namespace fathom::report
