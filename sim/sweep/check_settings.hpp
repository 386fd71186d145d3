#pragma once

#include <string>
#include <vector>

#include "sweep/sweep.hpp"

namespace fathom::sweep {

/// Tries the values of every axis (the first 256 of a long one) in a scenario: one that no
/// combination makes valid is a mistake of the sweep and InputError at the axis; one that only some
/// combinations make invalid is left to the points' reasons. Returns for each base one valid
/// setting with every default spelled out, as JSON, with the workload as the base has it.
std::vector<std::string> check_settings(const Sweep& sweep, study::Library& library);

/// Refuses bases whose workload is incomplete or contradicts itself whatever the axes say.
void check_workloads(const Sweep& sweep);

}  // namespace fathom::sweep
