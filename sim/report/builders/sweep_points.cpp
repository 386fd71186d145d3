#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/sweep.hpp"

namespace fathom::report {
namespace {

using lang::say;
using sweep::Row;

bool differ(const std::vector<double>& values) {
  return std::ranges::any_of(values, [&](double value) {
    return value != values.front() && !(std::isnan(value) && std::isnan(values.front()));
  });
}

// A column whose value never differs leaves nothing to choose.
void add(PointSet& out, PointColumn column, const std::vector<Row>& rows,
         const std::vector<double> Row::*values, std::size_t index) {
  column.values.reserve(rows.size());
  for (const Row& row : rows) column.values.push_back((row.*values)[index]);
  if (!column.values.empty() && differ(column.values)) out.columns.push_back(std::move(column));
}

void add_inputs(PointSet& out, const sweep::Summary& s, const std::vector<Row>& rows) {
  for (std::size_t i = 0; i < s.layout.inputs.size(); ++i) {
    const sweep::Column& column = s.layout.inputs[i];
    add(out,
        {.name = column.name,
         .header = label_of(s.layout, column.name),
         .format = format_of(column),
         .input = true,
         .texts = column.texts},
        rows, &Row::inputs, i);
  }
}

void add_result(PointSet& out, const sweep::Summary& s, const std::vector<Row>& rows,
                std::size_t index, Better better) {
  const sweep::Column& column = s.layout.results[index];
  add(out,
      {.name = column.name,
       .header = label_of(s.layout, column.name),
       .format = format_of(column),
       .better = better,
       .texts = column.texts},
      rows, &Row::results, index);
}

void add_results(PointSet& out, const sweep::Summary& s, const std::vector<Row>& rows) {
  for (const sweep::Objective& o : s.objectives)
    add_result(out, s, rows, o.column, o.maximize ? Better::high : Better::low);
  for (std::size_t i = 0; i < s.layout.results.size(); ++i) {
    if (std::ranges::find(s.objectives, i, &sweep::Objective::column) == s.objectives.end())
      add_result(out, s, rows, i, Better::neither);
  }
}

std::string note(const SweepPage& page, std::size_t rows) {
  const sweep::RowSample& sample = page.sample;
  const std::string out =
      sample.stride == 1
          ? say("All {} points that can run.", format_count(sample.of))
          : say("{} of {} points that can run: one in {}, and the whole Pareto front.",
                format_count(static_cast<std::int64_t>(rows)), format_count(sample.of),
                format_count(sample.stride));
  return say("{} Results are kept to seven digits here; `--format csv` has all of them.", out);
}

}  // namespace

PointSet sweep_points(const SweepPage& page) {
  sweep::RowSample sample = page.sample;
  std::vector<std::int64_t> front;
  for (const sweep::Group& group : page.summary.groups) {
    sweep::merge_rows(sample, group.front);
    for (const Row& row : group.front) front.push_back(row.number);
  }
  std::ranges::sort(front);
  PointSet out{.note = note(page, sample.rows.size())};
  for (std::size_t i = 0; i < sample.rows.size(); ++i) {
    out.numbers.push_back(sample.rows[i].number);
    if (std::ranges::binary_search(front, sample.rows[i].number)) out.front.push_back(i);
  }
  add_inputs(out, page.summary, sample.rows);
  add_results(out, page.summary, sample.rows);
  return out;
}

}  // namespace fathom::report
