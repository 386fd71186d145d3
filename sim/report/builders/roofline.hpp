#pragma once

#include "report/document.hpp"
#include "study/operator_roofline.hpp"

namespace fathom::report {

/// Operators of a step against the roofs of their device. The first plot is the whole step at one
/// batch, the second follows attention cores and routed experts over the batches.
Document roofline_document(const study::OperatorRoofline& roofline);

}  // namespace fathom::report
