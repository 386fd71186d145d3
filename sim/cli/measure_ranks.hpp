#pragma once

#include <cstdint>

#include "cli/command.hpp"
#include "measure/run.hpp"

namespace fathom::cli {

/// `fathom measure --collectives` on one of the ranks that mpirun started, up to messages of
/// `largest_mib`; the first rank writes.
void measure_ranks(const measure::RunOptions& options, std::int64_t largest_mib,
                   const OutputOptions& output);

}  // namespace fathom::cli
