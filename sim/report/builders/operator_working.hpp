#pragma once

#include <string>
#include <vector>

#include "report/workings.hpp"
#include "study/evaluate.hpp"
#include "timing/trace.hpp"

namespace fathom::report {

/// A call that is explained: where it stands in the step, what it is, and its trace.
struct ExplainedCall {
  const study::OperatorRow& row;
  const ops::Op& op;
  const timing::Trace& trace;
  const hw::Cluster& cluster;
};

std::vector<WorkingLine> operator_working(const ExplainedCall& call);

}  // namespace fathom::report
