#pragma once

#include <nlohmann/json_fwd.hpp>

#include "study/evaluate.hpp"

namespace fathom::whatif {

/// What `fathom estimate --format json` says about one scenario, less the files it was read from
/// and the interval of its kernels' errors: "scenario" and "infeasible", or "scenario", "estimate",
/// "cost" (where a price is known), "operators", "memory", "mla_form", "notes" and "assumed".
nlohmann::json estimate_json(const study::Scenario& scenario, const study::Answer& answer);

}  // namespace fathom::whatif
