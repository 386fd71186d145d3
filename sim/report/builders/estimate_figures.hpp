#pragma once

#include <string>
#include <vector>

#include "report/lane_plot.hpp"
#include "study/evaluate.hpp"

namespace fathom::report {

/// A few layers of the step as the scheduler runs them on the slowest pipeline stage: lanes, both
/// micro-batches where two overlap, idle times. Layers from the middle of the longest repetition,
/// where neither start nor end is near.
LanePlot step_timeline(const study::Answer& answer);

/// Time of all operators of the step, one after the other: by block, stage and operator. Bars lead
/// to `anchors`, one per row.
LanePlot time_flame(const std::vector<study::OperatorRow>& rows,
                    const std::vector<std::string>& anchors);

/// What each class of ranks holds, against the memory of its device.
LanePlot memory_stack(const study::Scenario& scenario, const study::Answer& answer);

}  // namespace fathom::report
