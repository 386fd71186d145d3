#pragma once
// Tables of a comparison. Private to compare.cpp.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "report/table.hpp"
#include "study/attention_trade.hpp"

namespace fathom::report::compare {

inline constexpr double kGiB = 1073741824.0;

/// Rows that answer one question together.
struct Group {
  std::string heading;
  std::string subject;  // of plot titles
  std::string row_header;
  std::vector<const study::TradeRow*> rows;
};

/// What tells a row from its neighbours: the exchanged kind, or the model.
std::string short_label(const study::TradeRow& row);
/// The model whose attention is exchanged; empty: none.
std::string base_name(const study::AttentionTrade& trade);
/// Per token in the requested layout.
Bytes growth(const study::TradeRow& row);

using Value = std::function<double(const study::TradeRow&, const study::TradePoint&)>;
enum class Best : std::uint8_t { none, least, most };
/// One line per row, one column per context; a value that is not positive is missing. The title
/// names the unit, which would widen every column.
Table by_context(const Group& group, const study::AttentionTrade& trade, std::string title,
                 const Value& value, Best best);
Table growth_table(const Group& group, const study::AttentionTrade& trade);
Table intensity_table(const Group& group, const study::AttentionTrade& trade);
Table parameter_table(const Group& group);
/// Who is best at what, per context; one row at a time would be no contest.
Table winner_table(const Group& group, const study::AttentionTrade& trade);

}  // namespace fathom::report::compare
