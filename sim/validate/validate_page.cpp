#include "validate/validate_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::validate {
namespace {

using lang::say;
using namespace report;

constexpr std::size_t kWorstRows = 12;

Cell rounded(double value, int digits = 4) {
  Cell cell{value};
  cell.shown = format_significant(value, digits);
  return cell;
}

// A signed deviation: +3.1 %.
Cell deviation(double error) {
  Cell cell{error};
  cell.shown = fmt::format("{:+.1f} %", 100.0 * error);
  return cell;
}

std::string published_text(const Row& row) {
  if (row.low == row.high) return fmt::format("{:.6g}", row.low);
  return fmt::format("{:.6g}–{:.6g}", row.low, row.high);
}

std::string interval_text(const RowResult& r) {
  if (!r.interval) return "-";
  return fmt::format("{}–{}", format_significant(r.interval->p10, 3),
                     format_significant(r.interval->p90, 3));
}

std::string verdict(const RowResult& r) {
  if (!r.infeasible.empty()) return "CANNOT RUN";
  return r.inside_tolerance ? "ok" : "OUTSIDE";
}

std::string in_interval(const RowResult& r) {
  if (!r.interval) return "-";
  return r.inside_interval ? "yes" : "no";
}

std::vector<Cell> row_cells(const RowResult& r) {
  Cell published_cell{published(r.row)};
  published_cell.shown = published_text(r.row);
  const bool runs = r.infeasible.empty();
  return {r.row.id,
          runs ? rounded(r.predicted) : Cell{"-"},
          interval_text(r),
          published_cell,
          r.row.unit,
          runs ? deviation(r.error) : Cell{"-"},
          fmt::format("{:.3g} %", 100.0 * r.row.tolerance),
          verdict(r),
          in_interval(r),
          r.row.blind ? "blind" : "seen"};
}

std::vector<Column> row_columns() {
  return {text_column("row"),         number_column("predicted"), text_column("p10 to p90"),
          number_column("published"), text_column("unit"),        number_column("error"),
          text_column("tolerance"),   text_column("result"),      text_column("in interval"),
          text_column("was it seen")};
}

template <class Keep>
Table row_table(const LedgerReport& report, std::string title, const Keep& keep) {
  Table table{.title = std::move(title), .columns = row_columns()};
  for (const RowResult& r : report.rows) {
    if (keep(r)) table.rows.push_back(row_cells(r));
  }
  return table;
}

std::vector<Cell> summary_cells(std::string label, const CategorySummary& s) {
  const bool any = s.rows > s.infeasible;
  const auto share = [&](double value) { return any ? deviation(value) : Cell{"-"}; };
  const auto plain = [&](double value) {
    Cell cell{value};
    cell.shown = fmt::format("{:.1f} %", 100.0 * value);
    return any ? cell : Cell{"-"};
  };
  Cell inside{"-"};
  if (s.with_interval > 0) {
    inside = Cell{static_cast<double>(s.inside_interval) / static_cast<double>(s.with_interval)};
    inside.shown = say("{} of {}", s.inside_interval, s.with_interval);
  }
  return {std::move(label), s.rows,         s.outside,     s.gaps, plain(s.median),
          plain(s.p90),     plain(s.worst), share(s.bias), inside};
}

Table summary_table(const LedgerReport& report) {
  const auto exact = [](const char* header) {
    return number_column(header, "", NumberFormat::exact);
  };
  Table table{.title = "By category",
              .columns = {text_column("category"), exact("rows"), exact("outside tolerance"),
                          exact("not expressible"), number_column("median error"),
                          number_column("p90"), number_column("worst"), number_column("bias"),
                          number_column("inside the 80 % interval")}};
  for (const CategorySummary& s : report.categories)
    table.rows.push_back(summary_cells(std::string(name(s.category)), s));
  table.rows.push_back(summary_cells("all with a time model", report.timed));
  table.rows.push_back(summary_cells("of these, not seen before", report.blind));
  table.rows.push_back(summary_cells("all", report.all));
  return table;
}

Table worst_table(const LedgerReport& report) {
  std::vector<const RowResult*> rows;
  for (const RowResult& r : report.rows) {
    if (r.infeasible.empty()) rows.push_back(&r);
  }
  std::ranges::stable_sort(rows, [](const RowResult* a, const RowResult* b) {
    return std::abs(a->error) > std::abs(b->error);
  });
  if (rows.size() > kWorstRows) rows.resize(kWorstRows);
  Table table{.title = "Worst rows",
              .columns = {text_column("row"), number_column("error"), text_column("claim"),
                          text_column("not known about the set-up")}};
  for (const RowResult* r : rows)
    table.rows.push_back({r->row.id, deviation(r->error), r->row.claim, r->row.unknown});
  return table;
}

bool end_to_end(Category category) {
  return category == Category::inference || category == Category::mtp ||
         category == Category::economics;
}

// Rows with a time model; counts and bounds lie on the diagonal anyway.
Plot parity_plot(const LedgerReport& report) {
  Plot plot{.title = say("Predicted against published: median error {:.1f} %",
                         100.0 * report.timed.median),
            .x = {.label = "published, in the row's unit", .scale = AxisScale::log},
            .y = {.label = "predicted", .scale = AxisScale::log},
            .references = {{.kind = ReferenceKind::diagonal, .value = 1.0, .label = "equal"}}};
  for (const CategorySummary& s : report.categories) {
    Series series{.name = std::string(name(s.category)), .kind = SeriesKind::points};
    for (const RowResult& r : report.rows) {
      if (r.row.category != s.category || !has_interval(s.category) || !r.infeasible.empty())
        continue;
      series.xs.push_back(published(r.row));
      series.ys.push_back(r.predicted);
    }
    if (!series.xs.empty()) plot.series.push_back(std::move(series));
  }
  return plot;
}

Plot error_plot(const LedgerReport& report) {
  Plot plot{.title = "Error by category",
            .x = {.label = "category"},
            .y = {.label = "predicted / published", .scale = AxisScale::log},
            .references = {{.kind = ReferenceKind::horizontal, .value = 1.0, .label = "equal"}}};
  Series inside{.name = "inside tolerance", .kind = SeriesKind::points};
  Series outside{.name = "outside", .kind = SeriesKind::points};
  for (const CategorySummary& s : report.categories) {
    if (!has_interval(s.category)) continue;
    const auto x = static_cast<double>(plot.x.categories.size());
    plot.x.categories.emplace_back(name(s.category));
    for (const RowResult& r : report.rows) {
      if (r.row.category != s.category || !r.infeasible.empty()) continue;
      Series& series = r.inside_tolerance ? inside : outside;
      series.xs.push_back(x);
      series.ys.push_back(1.0 + r.error);
    }
  }
  for (Series* series : {&inside, &outside}) {
    if (!series->xs.empty()) plot.series.push_back(std::move(*series));
  }
  return plot;
}

// What was published beside the interval that we would have given, as ratios to the prediction.
LanePlot interval_plot(const LedgerReport& report) {
  LanePlot plot{.x = {.label = "of the prediction", .scale = AxisScale::log},
                .lane_label = "row",
                .groups = {"p10 to p90", "published"},
                .references = {{ReferenceKind::vertical, 1.0, "predicted"}}};
  long inside = 0;
  for (const RowResult& r : report.rows) {
    if (!end_to_end(r.row.category) || !r.interval || !r.infeasible.empty()) continue;
    const std::size_t lane = plot.lanes.size();
    plot.lanes.push_back(r.row.id);
    plot.bars.push_back({.lane = lane,
                         .start = r.interval->p10 / r.predicted,
                         .length = (r.interval->p90 - r.interval->p10) / r.predicted,
                         .facts = {{"predicted", format_significant(r.predicted, 4)},
                                   {"published", published_text(r.row)},
                                   {"unit", r.row.unit}}});
    plot.marks.push_back({.lane = lane, .at = published(r.row) / r.predicted, .group = 1});
    inside += r.inside_interval ? 1 : 0;
  }
  plot.title = say("End to end, {} of {} published results lie inside the interval", inside,
                   plot.lanes.size());
  return plot;
}

Details every_row(const LedgerReport& report) {
  Details details{.summary = "Every row"};
  for (const CategorySummary& s : report.categories) {
    Table table = row_table(report, std::string(name(s.category)),
                            [&](const RowResult& r) { return r.row.category == s.category; });
    if (!table.rows.empty()) details.blocks.emplace_back(std::move(table));
  }
  return details;
}

Details set_ups(const LedgerReport& report) {
  Table table{.title = "What each row claims, where, and what its source leaves open",
              .columns = {text_column("row"), text_column("claim"), text_column("source"),
                          text_column("not known about the set-up")}};
  for (const RowResult& r : report.rows)
    table.rows.push_back({r.row.id, r.row.claim, r.row.source, r.row.unknown});
  return {.summary = "Claims, sources and unknowns", .blocks = {Block{std::move(table)}}};
}

Details gaps(const LedgerReport& report) {
  Table table{.title = say("{} published results that cannot be asked for yet", report.gaps.size()),
              .columns = {text_column("row"), text_column("category"), text_column("claim"),
                          text_column("why not"), text_column("source")}};
  for (const Gap& gap : report.gaps)
    table.rows.push_back({gap.id, name(gap.category), gap.claim, gap.reason, gap.source});
  return {.summary = "Not expressible", .blocks = {Block{std::move(table)}}};
}

std::string finding(const LedgerReport& r) {
  const double share = r.timed.with_interval > 0 ? static_cast<double>(r.timed.inside_interval) /
                                                       static_cast<double>(r.timed.with_interval)
                                                 : 0.0;
  return say(
      "{} published results: {} outside of their tolerance; where time is predicted ({} rows) the "
      "median error is {:.1f} %, p90 {:.1f} %, and {:.0f} % lie inside the 80 % interval; {} more "
      "cannot be expressed",
      r.all.rows, r.all.outside, r.timed.rows, 100.0 * r.timed.median, 100.0 * r.timed.p90,
      100.0 * share, r.gaps.size());
}

}  // namespace

Document page(const LedgerReport& report) {
  Document document{.title = "Predicted and published", .finding = finding(report)};
  for (const LedgerFile& file : report.files)
    document.metadata.inputs.push_back({file.name, file.hash});
  document.blocks.emplace_back(summary_table(report));
  Table outside = row_table(report, "Outside of their tolerance",
                            [](const RowResult& r) { return !r.inside_tolerance; });
  if (!outside.rows.empty()) document.blocks.emplace_back(std::move(outside));
  Table ends = row_table(report, "End to end: steps, drafts, the production day",
                         [](const RowResult& r) { return end_to_end(r.row.category); });
  if (!ends.rows.empty()) document.blocks.emplace_back(std::move(ends));
  document.blocks.emplace_back(worst_table(report));
  if (report.timed.rows > report.timed.infeasible) {
    document.blocks.emplace_back(parity_plot(report));
    document.blocks.emplace_back(error_plot(report));
    LanePlot intervals = interval_plot(report);
    if (!intervals.lanes.empty()) document.blocks.emplace_back(std::move(intervals));
  }
  if (report.day) {
    for (Block& block : day_section(*report.day)) document.blocks.push_back(std::move(block));
  }
  document.blocks.emplace_back(Note{NoteKind::info, std::string(interval_basis())});
  document.blocks.emplace_back(Note{
      NoteKind::info,
      "Error is predicted / published - 1; bias is the geometric mean. A row counts as seen when "
      "its figure was known while the model's structure or parameters were chosen: such a row "
      "checks the composition, it is no forecast. Rows of `exact` and `limit` have no time model "
      "behind them and no interval."});
  document.blocks.emplace_back(every_row(report));
  document.blocks.emplace_back(set_ups(report));
  document.blocks.emplace_back(gaps(report));
  return document;
}

}  // namespace fathom::validate
