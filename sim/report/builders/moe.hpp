#pragma once

#include "report/document.hpp"
#include "study/expert_trade.hpp"

namespace fathom::report {

/// Experts: size of the expert group, skew of their loads, granularity and shared experts. The
/// first plot is decode speed and the exchange's share against the group's size.
Document moe_document(const study::ExpertTrade& trade);

}  // namespace fathom::report
