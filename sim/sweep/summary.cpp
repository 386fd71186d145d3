#include "sweep/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "study/pareto.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Row row_of(const Block& block, std::size_t row, const Layout& layout) {
  const auto slice = [row](const std::vector<double>& all, std::size_t width) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * width);
    return std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(width));
  };
  return {.number = block.numbers[row],
          .inputs = slice(block.inputs, layout.inputs.size()),
          .results = slice(block.results, layout.results.size())};
}

// Small is good in every one.
study::Objectives objectives_for(const std::vector<Objective>& objectives, const double* results) {
  study::Objectives out{};
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const double v = results[objectives[i].column];
    out[i] = objectives[i].maximize ? -v : v;
  }
  return out;
}

// "12.5 GiB" and "900 MiB" are alike.
constexpr std::array<std::string_view, 4> kUnits{" KiB", " MiB", " GiB", " TiB"};

}  // namespace

std::string reason_kind(std::string_view reason) {
  std::string out;
  for (std::size_t i = 0; i < reason.size(); ++i) {
    const char c = reason[i];
    const bool inside = i > 0 && (is_digit(reason[i - 1]) || out.ends_with('#'));
    const bool more = i + 1 < reason.size() && is_digit(reason[i + 1]);
    if (out.ends_with('#') && std::ranges::find(kUnits, reason.substr(i, 4)) != kUnits.end()) {
      i += 3;
      continue;
    }
    if (is_digit(c)) {
      if (!out.ends_with('#')) out += '#';
    } else if (!(inside && more && (c == '.' || c == ','))) {
      out += c;
    }
  }
  return out;
}

Summarizer::Summarizer(Layout layout, std::vector<Objective> objectives) {
  const auto selected = std::ranges::find(layout.results, "selected", &Column::name);
  if (selected != layout.results.end())
    selected_column_ = static_cast<std::int32_t>(selected - layout.results.begin());
  summary_.filtered = selected_column_ >= 0;
  summary_.layout = std::move(layout);
  summary_.objectives = std::move(objectives);
}

double Summarizer::value(const std::vector<double>& results, std::size_t row,
                         std::size_t column) const {
  return results[row * summary_.layout.results.size() + column];
}

// Bases come in the order of their points.
Group& Summarizer::group_of(double base) {
  const std::string& name = summary_.layout.inputs[0].texts.at(static_cast<std::size_t>(base));
  if (summary_.groups.empty() || summary_.groups.back().base != name) {
    summary_.groups.push_back({.base = name});
    summary_.groups.back().best.resize(summary_.objectives.size());
  }
  return summary_.groups.back();
}

void Summarizer::add(const Block& block) {
  std::vector<std::size_t> wanted;
  std::vector<std::int64_t> reasons(block.reasons.size(), 0);
  Group* group = nullptr;
  for (std::size_t row = 0; row < block.rows(); ++row) {
    const double base = block.inputs[row * summary_.layout.inputs.size()];
    const std::size_t groups = summary_.groups.size();
    Group& now = group_of(base);
    if (group != nullptr && groups != summary_.groups.size()) {
      add_to_front(block, wanted, summary_.groups[groups - 1]);
      wanted.clear();
    }
    group = &now;
    ++group->rows;
    if (block.reason[row] >= 0) {
      ++reasons[static_cast<std::size_t>(block.reason[row])];
      continue;
    }
    ++group->feasible;
    if (selected_column_ >= 0 &&
        value(block.results, row, static_cast<std::size_t>(selected_column_)) != 1.0)
      continue;
    ++group->selected;
    const bool numbers = std::ranges::none_of(summary_.objectives, [&](const Objective& o) {
      return std::isnan(value(block.results, row, o.column));
    });
    if (!numbers) {
      ++group->without_objective;
    } else if (!summary_.objectives.empty()) {
      wanted.push_back(row);
      add_to_best(block, row, *group);
    }
  }
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (reasons[i] > 0) summary_.reasons[reason_kind(block.reasons[i])] += reasons[i];
  }
  if (group != nullptr) add_to_front(block, wanted, *group);
}

void Summarizer::add_to_best(const Block& block, std::size_t row, Group& group) const {
  for (std::size_t i = 0; i < summary_.objectives.size(); ++i) {
    const Objective& o = summary_.objectives[i];
    Row& best = group.best[i];
    const double now = value(block.results, row, o.column);
    if (best.results.empty() ||
        (o.maximize ? now > best.results[o.column] : now < best.results[o.column]))
      best = row_of(block, row, summary_.layout);
  }
}

void Summarizer::add_to_front(const Block& block, const std::vector<std::size_t>& rows,
                              Group& group) const {
  if (rows.empty()) return;
  const std::size_t width = summary_.layout.results.size();
  std::vector<study::Objectives> points;
  for (const Row& row : group.front)
    points.push_back(objectives_for(summary_.objectives, row.results.data()));
  for (const std::size_t row : rows)
    points.push_back(objectives_for(summary_.objectives, block.results.data() + row * width));
  std::vector<Row> front;
  const std::size_t before = group.front.size();
  for (const std::size_t i : study::pareto_front(points)) {
    front.push_back(i < before ? std::move(group.front[i])
                               : row_of(block, rows[i - before], summary_.layout));
  }
  group.front = std::move(front);
}

namespace {

std::int64_t total(const Summary& summary, std::int64_t Group::*count) {
  std::int64_t sum = 0;
  for (const Group& group : summary.groups) sum += group.*count;
  return sum;
}

}  // namespace

std::int64_t rows(const Summary& summary) { return total(summary, &Group::rows); }
std::int64_t feasible(const Summary& summary) { return total(summary, &Group::feasible); }
std::int64_t selected(const Summary& summary) { return total(summary, &Group::selected); }

std::vector<Objective> objectives_of(const json& document, const Layout& layout) {
  std::vector<Objective> out;
  for (const json& entry : document.value("objectives", json::array())) {
    const bool maximize = entry.contains("maximize");
    const std::string name = entry.value(maximize ? "maximize" : "minimize", "");
    const auto column = std::ranges::find(layout.results, name, &Column::name);
    if (column == layout.results.end())
      throw InputError("the objective '" + name + "' has no column in the database");
    out.push_back({static_cast<std::size_t>(column - layout.results.begin()), maximize});
  }
  return out;
}

json shown_value(const Column& column, double value) {
  if (std::isnan(value)) return nullptr;
  if (column.kind == ColumnKind::text) return column.texts.at(static_cast<std::size_t>(value));
  if (column.kind == ColumnKind::integer) return static_cast<std::int64_t>(value);
  if (std::isinf(value)) return value > 0.0 ? "inf" : "-inf";
  return value;
}

namespace {

json row_json(const Row& row, const Layout& layout) {
  json out{{"number", row.number}};
  for (std::size_t i = 0; i < row.inputs.size(); ++i)
    out["inputs"][layout.inputs[i].name] = shown_value(layout.inputs[i], row.inputs[i]);
  for (std::size_t i = 0; i < row.results.size(); ++i)
    out["results"][layout.results[i].name] = shown_value(layout.results[i], row.results[i]);
  return out;
}

}  // namespace

json to_json(const Summary& s) {
  json out{{"rows", rows(s)},
           {"feasible", feasible(s)},
           {"infeasible", rows(s) - feasible(s)},
           {"reasons", s.reasons},
           {"bases", json::array()}};
  for (const Group& group : s.groups) {
    json one{{"base", group.base}, {"rows", group.rows}, {"feasible", group.feasible}};
    if (s.filtered) one["selected"] = group.selected;
    if (!s.objectives.empty()) {
      one["without_objective"] = group.without_objective;
      one["best"] = json::array();
      one["front"] = json::array();
    }
    for (std::size_t i = 0; i < s.objectives.size(); ++i) {
      const Objective& o = s.objectives[i];
      json best{{"objective", s.layout.results[o.column].name},
                {"direction", o.maximize ? "maximize" : "minimize"}};
      best["row"] = group.best[i].results.empty() ? json() : row_json(group.best[i], s.layout);
      one["best"].push_back(std::move(best));
    }
    for (const Row& row : group.front) one["front"].push_back(row_json(row, s.layout));
    out["bases"].push_back(std::move(one));
  }
  return out;
}

}  // namespace fathom::sweep
