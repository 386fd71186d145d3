#pragma once

#include "report/document.hpp"
#include "study/draft_trade.hpp"

namespace fathom::report {

/// What MTP drafts are worth: speed-up by acceptance and batch, and the acceptance at which they
/// begin to pay. The first plot is speed-up against batch.
Document mtp_document(const study::DraftTrade& trade);

}  // namespace fathom::report
