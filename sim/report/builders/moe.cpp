#include "report/builders/moe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::ExpertPoint;
using study::ExpertTrade;

constexpr double kGiB = 1073741824.0;
constexpr double kKiB = 1024.0;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool runs(const ExpertPoint& point) { return point.infeasible.empty(); }

const ExpertPoint* fastest(const ExpertTrade& trade) {
  const ExpertPoint* best = nullptr;
  for (const ExpertPoint& point : trade.sizes) {
    if (!runs(point)) continue;
    if (best == nullptr || point.per_device > best->per_device) best = &point;
  }
  return best;
}

std::string speed_text(const ExpertPoint& point) {
  return say("{} tokens/s per GPU", format_significant(point.per_device.value));
}

std::string finding(const ExpertTrade& trade) {
  const ExpertPoint* best = fastest(trade);
  if (best == nullptr) {
    return say("{} fits on no expert group asked for on {}.", trade.model, trade.hardware);
  }
  const ExpertPoint& smallest = *std::ranges::find_if(trade.sizes, runs);
  std::string text = say("EP{} decodes fastest, {}", best->plan.ep, speed_text(*best));
  if (best != &smallest) {
    text = say("{} against {} on EP{}: a rank reads {} experts instead of {}", text,
               format_significant(smallest.per_device.value), smallest.plan.ep,
               format_significant(best->touched), format_significant(smallest.touched));
  }
  return say("{}; its exchanges are {} of a step.", text, share_text(best->exposed / best->step));
}

Plot size_plot(const ExpertTrade& trade) {
  Plot plot{.title = say("Decode speed of {} by the size of its expert group", trade.model),
            .x = {.label = "EP = DP", .unit = "ranks", .scale = AxisScale::log2},
            .y = {.label = "decode", .unit = "tokens/s per GPU"}};
  Series whole{.name = "estimated"};
  Series hidden{.name = "were the exchanges hidden"};
  for (const ExpertPoint& point : trade.sizes) {
    const double x = static_cast<double>(point.plan.ep);
    whole.xs.push_back(x);
    hidden.xs.push_back(x);
    whole.ys.push_back(runs(point) ? point.per_device.value : kNaN);
    const double left = runs(point) ? 1.0 - point.exposed / point.step : 0.0;
    hidden.ys.push_back(left > 0.0 ? point.per_device.value / left : kNaN);
  }
  plot.series = {std::move(whole), std::move(hidden)};
  plot.note = "A gap: the plan does not run or fit. Hidden: upper bound of two-batch overlap.";
  return plot;
}

// What every table says about a point, behind the columns that name it.
const std::vector<Column>& step_columns() {
  static const std::vector<Column> kColumns{
      number_column("experts / rank"),   number_column("touched"),
      number_column("rows / touched"),   number_column("scale-up", "KiB"),
      number_column("scale-out", "KiB"), number_column("exchange", "µs"),
      number_column("experts", "µs"),    text_column("bound"),
      number_column("step", "ms"),       number_column("decode", "tokens/s per GPU")};
  return kColumns;
}

void add_step(const ExpertPoint& point, std::vector<Cell>& cells) {
  if (!runs(point)) {
    cells.insert(cells.end(), step_columns().size(), missing_cell());
    return;
  }
  for (const double value :
       {point.experts_per_rank, point.touched, point.rows_per_touched, point.scale_up.value / kKiB,
        point.scale_out.value / kKiB, 1e6 * point.exchange.value, 1e6 * point.experts.value}) {
    cells.emplace_back(value);
  }
  cells.emplace_back(timing::name(point.experts_bound));
  cells.emplace_back(1e3 * point.step.value);
  cells.emplace_back(point.per_device.value);
}

Table with_steps(std::string title, std::vector<Column> columns) {
  Table table{.title = std::move(title), .columns = std::move(columns)};
  table.columns.insert(table.columns.end(), step_columns().begin(), step_columns().end());
  return table;
}

Table size_table(const ExpertTrade& trade) {
  Table table = with_steps(
      "Size of the expert group: one MoE layer, and the whole step",
      {number_column("EP", "ranks", NumberFormat::exact), number_column("weights", "GiB")});
  for (const ExpertPoint& point : trade.sizes) {
    std::vector<Cell> cells{point.plan.ep};
    cells.push_back(point.weights.value > 0.0 ? Cell{point.weights.value / kGiB} : missing_cell());
    add_step(point, cells);
    table.rows.push_back(std::move(cells));
  }
  mark_extreme(table, table.columns.size() - 1, false);
  return table;
}

Table skew_table(const ExpertTrade& trade) {
  Table table{.title = say("Skew of expert loads at EP{}", trade.request.ep_of_others),
              .columns = {number_column("Zipf exponent"), text_column("placement"),
                          number_column("load"), number_column("worst layer"),
                          number_column("exchange", "µs"), number_column("experts", "µs"),
                          number_column("step", "ms"), number_column("decode", "tokens/s per GPU"),
                          number_column("of balanced", "", NumberFormat::percent)}};
  const auto even = std::ranges::find_if(trade.skews, [](const auto& s) { return runs(s.point); });
  for (const study::SkewPoint& skew : trade.skews) {
    std::vector<Cell> cells{skew.exponent, skew.balanced ? "EPLB, one spare per rank" : "in order",
                            skew.load, skew.worst};
    if (runs(skew.point)) {
      cells.emplace_back(1e6 * skew.point.exchange.value);
      cells.emplace_back(1e6 * skew.point.experts.value);
      cells.emplace_back(1e3 * skew.point.step.value);
      cells.emplace_back(skew.point.per_device.value);
      cells.emplace_back(skew.point.per_device / even->point.per_device);
    } else {
      cells.insert(cells.end(), 5, missing_cell());
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Plot skew_plot(const ExpertTrade& trade) {
  Plot plot{.title = say("Load of the slowest rank at EP{}", trade.request.ep_of_others),
            .x = {.label = "Zipf exponent of popularity"},
            .y = {.label = "slowest rank's rows / mean"}};
  for (const bool balanced : {false, true}) {
    Series series{.name = balanced ? "EPLB, one spare expert per rank" : "experts in order"};
    for (const study::SkewPoint& skew : trade.skews) {
      if (skew.balanced != balanced) continue;
      series.xs.push_back(skew.exponent);
      series.ys.push_back(skew.load);
    }
    plot.series.push_back(std::move(series));
  }
  plot.references.push_back({ReferenceKind::horizontal, 1.0, "balanced"});
  return plot;
}

std::vector<Column> model_columns() {
  return {number_column("routed", "", NumberFormat::exact),
          number_column("chosen", "", NumberFormat::exact),
          number_column("shared", "", NumberFormat::exact),
          number_column("width", "", NumberFormat::exact),
          number_column("parameters", "", NumberFormat::si),
          number_column("activated", "", NumberFormat::si),
          number_column("log10 choices")};
}

std::vector<Cell> model_cells(const ExpertPoint& point) {
  return {point.moe.n_routed_experts, point.moe.num_experts_per_tok,
          point.moe.n_shared_experts, point.moe.moe_intermediate_size,
          point.parameters,           point.activated,
          point.log10_choices};
}

Table model_table(std::string title, const std::vector<const ExpertPoint*>& points) {
  Table table = with_steps(std::move(title), model_columns());
  for (const ExpertPoint* point : points) {
    std::vector<Cell> cells = model_cells(*point);
    add_step(*point, cells);
    table.rows.push_back(std::move(cells));
  }
  mark_extreme(table, table.columns.size() - 1, false);
  return table;
}

Plot granularity_plot(const ExpertTrade& trade) {
  Plot plot{.title = "Finer experts: more choices, more copies of a token on the wires",
            .x = {.label = "experts chosen per token", .scale = AxisScale::log2},
            .y = {.label = "one layer", .unit = "µs"}};
  Series exchange{.name = "exchange"};
  Series experts{.name = "experts' products"};
  for (const study::GranularityPoint& g : trade.granularities) {
    const double x = static_cast<double>(g.point.moe.num_experts_per_tok);
    exchange.xs.push_back(x);
    experts.xs.push_back(x);
    exchange.ys.push_back(runs(g.point) ? 1e6 * g.point.exchange.value : kNaN);
    experts.ys.push_back(runs(g.point) ? 1e6 * g.point.experts.value : kNaN);
  }
  plot.series = {std::move(exchange), std::move(experts)};
  return plot;
}

void add_refusals(const ExpertTrade& trade, std::vector<Block>& blocks) {
  const auto tell = [&](const ExpertPoint& point) {
    if (runs(point)) return;
    blocks.push_back(
        Note{NoteKind::info,
             say("{} with {} of {} experts: {}", mapping::describe(point.plan),
                 point.moe.num_experts_per_tok, point.moe.n_routed_experts, point.infeasible)});
  };
  std::ranges::for_each(trade.sizes, tell);
  for (const study::SkewPoint& skew : trade.skews) tell(skew.point);
  for (const study::GranularityPoint& g : trade.granularities) tell(g.point);
  std::ranges::for_each(trade.shared, tell);
}

}  // namespace

Document moe_document(const ExpertTrade& trade) {
  Document document{.title = say("Experts of {} on {}", trade.model, trade.hardware),
                    .finding = finding(trade)};
  document.metadata.inputs = inputs_of(trade.basis);
  std::vector<Block>& blocks = document.blocks;
  blocks.push_back(Heading{.text = "Expert group"});
  blocks.push_back(size_plot(trade));
  blocks.push_back(size_table(trade));
  if (!trade.skews.empty()) {
    blocks.push_back(Heading{.text = "Load skew"});
    blocks.push_back(skew_plot(trade));
    blocks.push_back(skew_table(trade));
  }
  if (!trade.granularities.empty()) {
    std::vector<const ExpertPoint*> points;
    for (const auto& g : trade.granularities) points.push_back(&g.point);
    blocks.push_back(Heading{.text = "Granularity"});
    blocks.push_back(granularity_plot(trade));
    blocks.push_back(
        model_table("Experts cut finer or coarser, equal arithmetic per token", points));
  }
  if (!trade.shared.empty()) {
    std::vector<const ExpertPoint*> points;
    for (const ExpertPoint& point : trade.shared) points.push_back(&point);
    blocks.push_back(Heading{.text = "Shared experts"});
    blocks.push_back(
        model_table("Shared experts in place of chosen ones, equal arithmetic per token", points));
  }
  add_refusals(trade, blocks);
  blocks.push_back(
      Note{NoteKind::info,
           "Scale-up and scale-out: bytes of dispatch and combine of one layer, per rank "
           "and direction. Touched: experts of a rank with at least one row, "
           "expected. Exchange and experts: one layer."});
  add_basis(blocks, trade.basis);
  return document;
}

}  // namespace fathom::report
