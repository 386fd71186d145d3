#pragma once

#include "report/document.hpp"
#include "study/cache_trade.hpp"

namespace fathom::report {

/// Bytes per token and cache against context, with the memory of devices beside them. The first
/// plot is cache per sequence against context, both logarithmic.
Document kv_cache_document(const study::CacheTrade& trade);

}  // namespace fathom::report
