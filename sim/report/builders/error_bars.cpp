#include "report/builders/error_bars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::report {
namespace {

using lang::say;

constexpr std::size_t kMostRows = 40;  // two screens

}  // namespace

LanePlot error_bars(std::string title, std::string lane_label, std::vector<ErrorRow> rows) {
  LanePlot plot{.title = std::move(title),
                .x = {.label = "error on shapes left out", .unit = "%", .min = 0.0},
                .lane_label = std::move(lane_label),
                .groups = {"up to the median", "median to p90"}};
  std::ranges::stable_sort(rows, std::ranges::greater{}, &ErrorRow::p90);
  if (rows.size() > kMostRows) {
    plot.note = say("The {} with the largest errors of {}.", kMostRows, rows.size());
    rows.resize(kMostRows);
  }
  for (const ErrorRow& row : rows) {
    const std::size_t lane = plot.lanes.size();
    plot.lanes.push_back(row.name);
    const std::vector<Fact> facts{{"median", format_percent(row.median)},
                                  {"p90", format_percent(row.p90)}};
    plot.bars.push_back({.lane = lane, .length = 100.0 * row.median, .group = 0, .facts = facts});
    plot.bars.push_back({.lane = lane,
                         .start = 100.0 * row.median,
                         .length = 100.0 * (row.p90 - row.median),
                         .group = 1,
                         .facts = facts});
  }
  return plot;
}

}  // namespace fathom::report
