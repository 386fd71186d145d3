#pragma once

#include "report/document.hpp"
#include "study/hardware_trade.hpp"

namespace fathom::report {

/// One model on several systems: speed, memory, money, what binds. The first plot is decode speed
/// against the batch at the shortest context.
Document compare_hardware_document(const study::HardwareTrade& trade);

}  // namespace fathom::report
