#include "report/builders/compare_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report::compare {
namespace {

using lang::say;
using study::AttentionTrade;
using study::TradePoint;
using study::TradeRow;

Cell marked_beyond(double value, bool beyond) {
  Cell cell{value};
  if (beyond) cell.shown = format_significant(value) + " †";
  return cell;
}

std::vector<std::string> format_names(const Group& group) {
  std::vector<std::string> names;
  for (const TradeRow* row : group.rows) {
    for (const study::TradeFormat& format : row->formats) {
      if (std::ranges::find(names, format.name) == names.end()) names.push_back(format.name);
    }
  }
  return names;
}

const study::TradeFormat* find_format(const TradeRow& row, const std::string& name) {
  const auto found = std::ranges::find(row.formats, name, &study::TradeFormat::name);
  return found == row.formats.end() ? nullptr : &*found;
}

}  // namespace

std::string short_label(const TradeRow& row) {
  return row.exchanged.empty() ? row.label : row.exchanged;
}

std::string base_name(const AttentionTrade& trade) {
  for (const TradeRow& row : trade.rows) {
    const std::string tail = " with " + row.exchanged;
    if (!row.exchanged.empty()) return row.label.substr(0, row.label.size() - tail.size());
  }
  return {};
}

Bytes growth(const TradeRow& row) { return row.formats.front().growth_per_token; }

Table by_context(const Group& group, const AttentionTrade& trade, std::string title,
                 const Value& value, Best best) {
  Table table{.title = std::move(title), .columns = {text_column(group.row_header)}};
  for (const std::int64_t tokens : trade.request.contexts) {
    table.columns.push_back(number_column(context_text(tokens)));
  }
  for (const TradeRow* row : group.rows) {
    std::vector<Cell> cells{short_label(*row)};
    for (const TradePoint& point : row->points) {
      const double number = value(*row, point);
      cells.push_back(number > 0.0 ? marked_beyond(number, point.beyond_limit) : missing_cell());
    }
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 1; best != Best::none && i < table.columns.size(); ++i) {
    mark_extreme(table, i, best == Best::least);
  }
  return table;
}

Table growth_table(const Group& group, const AttentionTrade& trade) {
  Table table{.title = "Cache growth per token, and what a sequence holds besides",
              .columns = {text_column(group.row_header), text_column("kind")}};
  const std::vector<std::string> names = format_names(group);
  for (const std::string& name : names) table.columns.push_back(number_column(name, "B/token"));
  table.columns.push_back(
      number_column(say("constant, {}", trade.request.kv), "B", NumberFormat::si));
  table.columns.push_back(number_column("growth / least"));
  double least = std::numeric_limits<double>::infinity();
  for (const TradeRow* row : group.rows) least = std::min(least, growth(*row).value);
  for (const TradeRow* row : group.rows) {
    std::vector<Cell> cells{short_label(*row), row->attention};
    for (const std::string& name : names) {
      const study::TradeFormat* format = find_format(*row, name);
      if (format == nullptr) {
        cells.push_back(missing_cell());
        continue;
      }
      Cell cell{format->growth_per_token.value};
      cell.shown = format_count(std::llround(format->growth_per_token.value));
      cells.push_back(std::move(cell));
    }
    cells.emplace_back(row->formats.front().constant.value);
    cells.emplace_back(growth(*row).value / least);
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 0; i < names.size(); ++i) mark_extreme(table, 2 + i, true);
  return table;
}

Table intensity_table(const Group& group, const AttentionTrade& trade) {
  Table table{.title = say("Attention cores against the device's ridge of {} FLOP/B (bf16)",
                           format_significant(trade.ridge.value)),
              .columns = {text_column(group.row_header), number_column("all heads", "FLOP/B"),
                          text_column("plan"), number_column("one rank", "FLOP/B"),
                          number_column("of the ridge", "", NumberFormat::percent),
                          text_column("by the ridge"), text_column("estimated")}};
  for (const TradeRow* row : group.rows) {
    if (row->cache_only) continue;
    std::vector<Cell> cells{short_label(*row), row->core_intensity.value};
    if (row->plan) {
      const bool compute = row->rank_intensity > trade.ridge;
      cells.emplace_back(mapping::describe(*row->plan));
      cells.emplace_back(row->rank_intensity.value);
      cells.emplace_back(row->rank_intensity / trade.ridge);
      cells.emplace_back(compute ? "compute" : "memory");
      cells.push_back(row->core_bound ? Cell{timing::name(*row->core_bound)} : missing_cell());
    } else {
      cells.emplace_back(row->infeasible);
      cells.insert(cells.end(), 4, missing_cell());
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table parameter_table(const Group& group) {
  Table table{
      .title = "Parameters, and weights on the fullest rank",
      .columns = {text_column(group.row_header), number_column("total", "", NumberFormat::si),
                  number_column("activated", "", NumberFormat::si),
                  number_column("attention", "", NumberFormat::si),
                  number_column("attention of total", "", NumberFormat::percent),
                  text_column("plan"), number_column("weights per GPU", "GiB"),
                  number_column("limit", "tokens", NumberFormat::count)}};
  for (const TradeRow* row : group.rows) {
    if (row->cache_only) continue;
    std::vector<Cell> cells{
        short_label(*row), row->parameters, row->activated_parameters, row->attention_parameters,
        static_cast<double>(row->attention_parameters) / static_cast<double>(row->parameters)};
    if (row->plan) {
      cells.emplace_back(mapping::describe(*row->plan));
      cells.emplace_back(row->weights_per_device.value / kGiB);
    } else {
      cells.emplace_back(row->infeasible);
      cells.push_back(missing_cell());
    }
    cells.push_back(row->max_position_embeddings > 0 ? Cell{row->max_position_embeddings}
                                                     : missing_cell());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table winner_table(const Group& group, const AttentionTrade& trade) {
  struct Contest {
    const char* header;
    Value value;
    bool least;
  };
  const std::array<Contest, 5> contests{
      Contest{"least cache", [](const auto&, const auto& p) { return p.kv_per_sequence.value; },
              true},
      Contest{"most sequences",
              [](const auto&, const auto& p) { return p.max_sequences_per_device; }, false},
      Contest{"least arithmetic",
              [](const auto&, const auto& p) { return p.flops_per_token.value; }, true},
      Contest{"fastest decode", [](const auto&, const auto& p) { return p.per_device.value; },
              false},
      Contest{"fastest prefill",
              [](const auto&, const auto& p) { return p.prefill_per_device.value; }, false}};
  Table table{.title = "Where each wins", .columns = {text_column("context, tokens")}};
  for (const Contest& contest : contests) table.columns.push_back(text_column(contest.header));
  for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) {
    std::vector<Cell> cells{context_text(trade.request.contexts[i])};
    for (const Contest& contest : contests) {
      std::string names;
      double best = 0.0;
      for (const TradeRow* row : group.rows) {
        const double value = contest.value(*row, row->points[i]);
        if (value <= 0.0) continue;
        const bool better = contest.least ? value < best : value > best;
        if (!names.empty() && value == best) names += ", " + short_label(*row);
        if (!names.empty() && !better) continue;
        best = value;
        names = short_label(*row);
      }
      cells.push_back(names.empty() ? missing_cell() : Cell{names});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace fathom::report::compare
