#include "report/plot.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace fathom::report {
namespace {

bool fits_one_row_per_x(const Plot& plot) {
  return std::ranges::all_of(plot.series, [&](const Series& series) {
    return series.labels.empty() && series.xs == plot.series.front().xs;
  });
}

Cell x_cell(const Axis& axis, double x) {
  // Also rejects NaN, which no comparison accepts.
  const bool named = x >= 0 && x < static_cast<double>(axis.categories.size());
  if (named) return {axis.categories[static_cast<std::size_t>(x)]};
  return {x};
}

Column x_column(const Plot& plot) {
  if (!plot.x.categories.empty()) return text_column(plot.x.label);
  const auto format =
      plot.x.scale == AxisScale::log2 ? NumberFormat::exact : NumberFormat::significant;
  return number_column(plot.x.label, plot.x.unit, format);
}

Table one_row_per_x(const Plot& plot) {
  Table table{.title = plot.title, .columns = {x_column(plot)}};
  for (const Series& series : plot.series) {
    const std::string header = series.name.empty() ? plot.y.label : series.name;
    table.columns.push_back(number_column(header, plot.y.unit));
  }
  for (std::size_t i = 0; i < plot.series.front().xs.size(); ++i) {
    std::vector<Cell> row{x_cell(plot.x, plot.series.front().xs[i])};
    for (const Series& series : plot.series) row.emplace_back(series.ys[i]);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table one_row_per_point(const Plot& plot) {
  Table table{.title = plot.title};
  const bool labelled =
      std::ranges::any_of(plot.series, [](const Series& series) { return !series.labels.empty(); });
  if (labelled) table.columns.push_back(text_column("point"));
  table.columns.push_back(text_column("series"));
  table.columns.push_back(x_column(plot));
  table.columns.push_back(number_column(plot.y.label, plot.y.unit));
  for (const Series& series : plot.series) {
    for (std::size_t i = 0; i < series.xs.size(); ++i) {
      std::vector<Cell> row;
      if (labelled) row.emplace_back(series.labels.empty() ? "" : series.labels[i]);
      row.emplace_back(series.name);
      row.push_back(x_cell(plot.x, series.xs[i]));
      row.emplace_back(series.ys[i]);
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace

void check(const Plot& plot) {
  for (const Series& series : plot.series) {
    FATHOM_EXPECT(series.xs.size() == series.ys.size(), "a series has one y per x");
    FATHOM_EXPECT(series.labels.empty() || series.labels.size() == series.xs.size(),
                  "a series has no labels or one per point");
    FATHOM_EXPECT(!plot.stacked || series.xs == plot.series.front().xs,
                  "stacked series share their xs");
  }
}

Table data_table(const Plot& plot) {
  check(plot);
  if (plot.data) return *plot.data;
  if (plot.series.empty()) {
    return {.title = plot.title,
            .columns = {x_column(plot), number_column(plot.y.label, plot.y.unit)}};
  }
  return fits_one_row_per_x(plot) ? one_row_per_x(plot) : one_row_per_point(plot);
}

std::string axis_title(const Axis& axis) {
  return axis.unit.empty() ? axis.label : axis.label + " (" + axis.unit + ")";
}

}  // namespace fathom::report
