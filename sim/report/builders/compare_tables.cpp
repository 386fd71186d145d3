#include "report/builders/compare_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/si_format.hpp"

namespace fathom::report::compare {
namespace {

using study::AttentionTrade;
using study::TradePoint;
using study::TradeRow;

constexpr double kEqual = 1e-9;  // relative: a figure this near the best is the best too

Cell missing() {
  Cell cell{""};
  cell.shown = "–";
  return cell;
}

Cell marked_beyond(double value, bool beyond) {
  Cell cell{value};
  if (beyond) cell.shown = format_significant(value) + " †";
  return cell;
}

// A column with one number has no winner.
void mark_extreme(Table& table, std::size_t column, bool least) {
  const auto numbers = std::ranges::count_if(
      table.rows, [column](const auto& row) { return number(row[column]) != nullptr; });
  if (numbers < 2) return;
  double best = least ? std::numeric_limits<double>::infinity() : 0.0;
  const auto better = [&](double v) { return least ? v < best : v > best; };
  for (const auto& row : table.rows) {
    if (const double* value = number(row[column]); value != nullptr && better(*value))
      best = *value;
  }
  for (auto& row : table.rows) {
    const double* value = number(row[column]);
    if (value != nullptr && std::abs(*value - best) <= kEqual * best) row[column].mark = Mark::best;
  }
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

std::string context_text(std::int64_t tokens) {
  constexpr std::int64_t kKi = 1024;
  if (tokens % (kKi * kKi) == 0) return fmt::format("{} Mi", tokens / (kKi * kKi));
  if (tokens % kKi == 0) return fmt::format("{} Ki", tokens / kKi);
  return format_count(tokens);
}

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
      cells.push_back(number > 0.0 ? marked_beyond(number, point.beyond_limit) : missing());
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
  table.columns.push_back(number_column("constant, " + trade.request.kv, "B", NumberFormat::si));
  table.columns.push_back(number_column("growth / least"));
  double least = std::numeric_limits<double>::infinity();
  for (const TradeRow* row : group.rows) least = std::min(least, growth(*row).value);
  for (const TradeRow* row : group.rows) {
    std::vector<Cell> cells{short_label(*row), row->attention};
    for (const std::string& name : names) {
      const study::TradeFormat* format = find_format(*row, name);
      if (format == nullptr) {
        cells.push_back(missing());
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
  Table table{.title = fmt::format("Attention cores against the device's ridge of {} FLOP/B (bf16)",
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
      cells.push_back(row->core_bound ? Cell{timing::name(*row->core_bound)} : missing());
    } else {
      cells.emplace_back(row->infeasible);
      cells.insert(cells.end(), 4, missing());
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
      cells.push_back(missing());
    }
    cells.push_back(row->max_position_embeddings > 0 ? Cell{row->max_position_embeddings}
                                                     : missing());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace fathom::report::compare
