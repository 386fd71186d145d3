#pragma once

#include <string>
#include <vector>

#include "report/document.hpp"
#include "study/attention_trade.hpp"

namespace fathom::report {

/// Attention kinds and models side by side: cache, sequences that fit, decode speed, intensity,
/// parameters. The first plot is cache per sequence against context.
Document compare_document(const study::AttentionTrade& trade);

/// The same without title, for a larger report: every heading one level deeper when `level` is 3.
std::vector<Block> compare_blocks(const study::AttentionTrade& trade, int level = 2);

/// The answer in one sentence, computed from the rows.
std::string compare_finding(const study::AttentionTrade& trade);

}  // namespace fathom::report
