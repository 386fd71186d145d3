#pragma once

#include "report/document.hpp"
#include "study/claims.hpp"

namespace fathom::report {

/// Popular statements, each with what the model and the published sources say and where it is true.
/// The first plot is our figures of the first statement over its range.
Document claims_document(const study::ClaimsResult& result);

}  // namespace fathom::report
