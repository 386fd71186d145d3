#pragma once
// One line of an attention trade. Private to study: attention_trade.hpp declares the comparison.

#include <optional>
#include <string>
#include <vector>

#include "model/hf_config.hpp"
#include "model/lower.hpp"
#include "study/attention_trade.hpp"

namespace fathom::study {

struct TradeSubject {
  std::string label;
  std::string exchanged;  // attention kind asked for; empty: as published
  model::Model model;
};

struct TradeSetting {
  const TradeRequest& request;
  const hw::Cluster& cluster;
  model::KvLayout layout;
};

model::LowerOptions options_for(const model::ArchSpec& arch, const model::KvLayout& layout);

/// What a plan must be able to keep: one sequence of the longest compared context within the
/// model's limit, or of the shortest one.
double context_to_hold(const model::ArchSpec& arch, const TradeRequest& request);

/// The row with what had to be assumed for it. Without a plan the smallest standard one is taken.
struct RowAndNotes {
  TradeRow row;
  std::vector<std::string> notes;
};
RowAndNotes make_row(const TradeSubject& subject, const TradeSetting& s,
                     const std::optional<mapping::Plan>& plan);

}  // namespace fathom::study
