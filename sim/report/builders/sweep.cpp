#include "report/builders/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::report {
namespace {

using lang::say;

constexpr std::size_t kShownReasons = 8;
constexpr std::size_t kShownRows = 20;

// How the columns of a page are called.
struct Names {
  const sweep::Layout& layout;
  bool labels = false;
  std::string operator()(const sweep::Column& column) const {
    if (labels) return label_of(layout, column.name);
    const bool input =
        std::ranges::find(layout.inputs, column.name, &sweep::Column::name) != layout.inputs.end();
    return input ? header_of(layout, column.name) : column.name;
  }
};

Column plain_column(const sweep::Column& column, const std::string& header) {
  if (column.kind == sweep::ColumnKind::text) return text_column(header);
  const NumberFormat format = format_of(column);
  const char* unit = format == NumberFormat::seconds        ? "s"
                     : format == NumberFormat::bytes_binary ? "B"
                                                            : "";
  return number_column(header, unit, format);
}

Column table_column(const sweep::Column& column, const Names& names) {
  Column out = plain_column(column, names(column));
  if (names.labels) out.key = column.name;
  return out;
}

Cell cell(const sweep::Column& column, double value) {
  if (std::isnan(value)) return "";
  if (column.kind == sweep::ColumnKind::text)
    return column.texts.at(static_cast<std::size_t>(value));
  Cell out(value);
  const bool whole = value == std::trunc(value) && std::abs(value) < 1e15;
  if (whole && format_of(column) == NumberFormat::significant) out.shown = exact_text(out);
  return out;
}

// A column whose value never differs says nothing in a table of chosen rows.
bool varies(const std::vector<const sweep::Row*>& rows, std::size_t input) {
  return std::ranges::any_of(rows, [&](const sweep::Row* row) {
    const double a = row->inputs[input];
    const double b = rows.front()->inputs[input];
    return a != b && !(std::isnan(a) && std::isnan(b));
  });
}

bool says_something(const std::vector<const sweep::Row*>& rows, std::size_t result) {
  return std::ranges::any_of(
      rows, [&](const sweep::Row* row) { return !std::isnan(row->results[result]); });
}

Table rows_table(std::string title, const std::vector<const sweep::Row*>& rows,
                 const Names& names) {
  const sweep::Layout& layout = names.layout;
  Table table{.title = std::move(title)};
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> results;
  for (std::size_t i = 0; i < layout.inputs.size(); ++i) {
    if (varies(rows, i)) inputs.push_back(i);
  }
  for (std::size_t i = 0; i < layout.results.size(); ++i) {
    if (layout.results[i].name != "selected" && says_something(rows, i)) results.push_back(i);
  }
  table.columns.push_back(number_column("point", "", NumberFormat::exact));
  for (const std::size_t i : inputs) table.columns.push_back(table_column(layout.inputs[i], names));
  for (const std::size_t i : results)
    table.columns.push_back(table_column(layout.results[i], names));
  for (const sweep::Row* row : rows) {
    std::vector<Cell> cells{row->number};
    for (const std::size_t i : inputs) cells.push_back(cell(layout.inputs[i], row->inputs[i]));
    for (const std::size_t i : results) cells.push_back(cell(layout.results[i], row->results[i]));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string direction(const sweep::Objective& o, const Names& names) {
  const std::string header = names(names.layout.results[o.column]);
  return o.maximize ? say("highest {}", header) : say("lowest {}", header);
}

// One column per objective: a row of a database is too wide to read across.
void add_best(const sweep::Summary& s, const sweep::Group& group, const Names& names,
              Document& out) {
  Table table{.title = "The best point by each objective", .columns = {text_column("")}};
  std::vector<const sweep::Row*> rows;
  for (std::size_t i = 0; i < s.objectives.size(); ++i) {
    const std::string what = direction(s.objectives[i], names);
    if (group.best[i].results.empty()) {
      out.blocks.push_back(Note{NoteKind::warning, say("no point has a value: {}", what)});
      continue;
    }
    rows.push_back(&group.best[i]);
    table.columns.push_back(number_column(what));
  }
  if (rows.empty()) return;
  if (names.labels) table.columns.push_back(text_column("key"));
  const auto add = [&](const sweep::Column& column, auto&& value) {
    std::vector<Cell> line{names(column)};
    bool empty = true;
    for (const sweep::Row* row : rows) {
      const Cell c = cell(column, value(*row));
      const std::string text = shown_text(c, table_column(column, names));
      line.emplace_back(text);
      empty = empty && text.empty();
    }
    if (names.labels) line.emplace_back("`" + column.name + "`");
    if (!empty) table.rows.push_back(std::move(line));
  };
  std::vector<Cell> numbers{"point"};
  for (const sweep::Row* row : rows) numbers.emplace_back(format_count(row->number));
  if (names.labels) numbers.emplace_back("");
  table.rows.push_back(std::move(numbers));
  for (std::size_t i = 1; i < s.layout.inputs.size(); ++i)
    add(s.layout.inputs[i], [i](const sweep::Row& row) { return row.inputs[i]; });
  for (std::size_t i = 0; i < s.layout.results.size(); ++i) {
    if (s.layout.results[i].name == "selected") continue;
    add(s.layout.results[i], [i](const sweep::Row& row) { return row.results[i]; });
  }
  out.blocks.push_back(std::move(table));
}

Plot front_plot(const sweep::Summary& s, const sweep::Group& group, const Names& names) {
  const std::string x = names(s.layout.results[s.objectives[0].column]);
  const std::string y = names(s.layout.results[s.objectives[1].column]);
  Plot plot{.title = say("{} points that nothing beats", group.front.size()),
            .x = {.label = x, .scale = AxisScale::log},
            .y = {.label = y, .scale = AxisScale::log}};
  Series series{.name = "front", .kind = SeriesKind::line_points};
  for (const sweep::Row& row : group.front) {
    series.xs.push_back(row.results[s.objectives[0].column]);
    series.ys.push_back(row.results[s.objectives[1].column]);
  }
  const auto positive = [](double v) { return v > 0.0; };
  if (!std::ranges::all_of(series.xs, positive)) plot.x.scale = AxisScale::linear;
  if (!std::ranges::all_of(series.ys, positive)) plot.y.scale = AxisScale::linear;
  if (s.objectives.size() > 2) series.kind = SeriesKind::points;
  plot.series.push_back(std::move(series));
  return plot;
}

void add_front(const sweep::Summary& s, const sweep::Group& group, const Names& names,
               Document& out) {
  if (s.objectives.size() < 2 || group.front.empty()) return;
  std::vector<std::string> goals;
  for (const sweep::Objective& o : s.objectives) goals.push_back(direction(o, names));
  out.blocks.push_back(Paragraph{say(
      "The Pareto front: no point is at least as good in every objective ({}) and better in one.",
      lang::listed(goals))});
  out.blocks.push_back(front_plot(s, group, names));
  std::vector<const sweep::Row*> rows;
  const std::size_t step = (group.front.size() + kShownRows - 1) / kShownRows;
  for (std::size_t i = 0; i < group.front.size(); i += step) rows.push_back(&group.front[i]);
  const std::string title = step == 1 ? "All of them"
                                      : say("{} of {}, evenly spaced; --format json has all",
                                            rows.size(), group.front.size());
  out.blocks.push_back(rows_table(title, rows, names));
}

void add_group(const sweep::Summary& s, const sweep::Group& group, const Names& names,
               Document& out) {
  const bool many = s.groups.size() > 1;
  out.blocks.push_back(Heading{2, many ? say("Best points: {}", group.base) : "Best points", ""});
  if (group.without_objective > 0) {
    out.blocks.push_back(
        Note{NoteKind::warning, say("{} points have no value for an objective and are left out "
                                    "of what follows",
                                    format_count(group.without_objective))});
  }
  add_best(s, group, names, out);
  add_front(s, group, names, out);
}

void add_reasons(const sweep::Summary& s, Document& out) {
  if (s.reasons.empty()) return;
  std::vector<std::pair<std::string, std::int64_t>> reasons(s.reasons.begin(), s.reasons.end());
  std::ranges::stable_sort(reasons, [](auto& a, auto& b) { return a.second > b.second; });
  Table table{.title = "Why points cannot run",
              .columns = {text_column("reason"), number_column("points", "", NumberFormat::count)}};
  for (std::size_t i = 0; i < std::min(kShownReasons, reasons.size()); ++i)
    table.rows.push_back({reasons[i].first, reasons[i].second});
  if (reasons.size() > kShownReasons) {
    std::int64_t rest = 0;
    for (std::size_t i = kShownReasons; i < reasons.size(); ++i) rest += reasons[i].second;
    table.rows.push_back({say("{} other reasons", reasons.size() - kShownReasons), rest});
  }
  out.blocks.push_back(Heading{2, "Infeasible points", ""});
  out.blocks.push_back(std::move(table));
}

std::string finding(const SweepPage& page) {
  const sweep::Summary& s = page.summary;
  const std::string out =
      say("{} of {} points can run", format_count(feasible(s)), format_count(rows(s)));
  if (!s.filtered) return say("{}.", out);
  return say("{}, {} of them pass the filters.", out, format_count(selected(s)));
}

KeyFigures figures(const SweepPage& page) {
  const sweep::Summary& s = page.summary;
  KeyFigures out;
  const auto add = [&out](const char* label, std::int64_t value, std::string detail = "") {
    out.figures.push_back({label, Cell(value), "", std::move(detail)});
    std::get<double>(out.figures.back().value.value) = static_cast<double>(value);
    out.figures.back().value.shown = format_count(value);
  };
  add("points", page.points, "of the whole sweep");
  add("rows", rows(s), "points that no constraint excludes");
  add("feasible", feasible(s));
  if (s.filtered) add("selected", selected(s), "pass every filter");
  return out;
}

}  // namespace

NumberFormat format_of(const sweep::Column& column) {
  if (column.name.ends_with("_s") && !column.name.starts_with("tokens"))
    return NumberFormat::seconds;
  if (column.name.ends_with("_bytes")) return NumberFormat::bytes_binary;
  if (column.name.ends_with("_share")) return NumberFormat::percent;
  return column.kind == sweep::ColumnKind::integer ? NumberFormat::exact
                                                   : NumberFormat::significant;
}

// "/plan/tp" is tp to a reader, unless another column ends so too.
std::string header_of(const sweep::Layout& layout, const std::string& name) {
  const auto last = [](const std::string& pointer) {
    return pointer.substr(pointer.rfind('/') + 1);
  };
  const auto alike = std::ranges::count_if(
      layout.inputs, [&](const sweep::Column& other) { return last(other.name) == last(name); });
  return alike == 1 ? last(name) : name;
}

std::string label_of(const sweep::Layout& layout, const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kLabels{
      {{"tpot_s", "TPOT"},
       {"ttft_s", "TTFT"},
       {"tokens_per_s_per_user", "tokens/s per user"},
       {"tokens_per_s_per_device", "tokens/s per GPU"},
       {"usd_per_million_tokens", "USD per million tokens"},
       {"devices", "GPUs of an instance"},
       {"step_s", "step"},
       {"exposed_communication_s", "exposed communication"},
       {"memory_used_bytes", "memory used"},
       {"kv_cache_bytes", "KV cache"},
       {"max_sequences_per_replica", "sequences that fit per replica"},
       {"compute_share", "bound by compute"},
       {"memory_share", "bound by memory"},
       {"network_share", "bound by network"},
       {"selected", "selected"},
       {"/plan/two_batch_overlap", "two-batch overlap"},
       {"/workload/acceptance", "acceptance"},
       {"/workload/context_tokens", "context tokens"},
       {"/workload/draft_tokens", "draft tokens"},
       {"/workload/prompt_tokens", "prompt tokens"},
       {"/workload/prompts_per_gpu", "prompts per GPU"},
       {"/workload/sequences_per_gpu", "sequences per GPU"}}};
  const auto label = std::ranges::find(kLabels, std::string_view(name),
                                       &std::pair<std::string_view, std::string_view>::first);
  if (label != kLabels.end()) return std::string(label->second);
  std::string out = header_of(layout, name);
  // A key without its underscores reads as English; in another language it stays a key.
  if (lang::spoken() == lang::Language::english && !out.starts_with('/'))
    std::ranges::replace(out, '_', ' ');
  return out;
}

Document sweep_document(const SweepPage& page) {
  const sweep::Summary& s = page.summary;
  Document out;
  out.title = page.name.empty() ? "Sweep" : say("Sweep: {}", page.name);
  out.finding = finding(page);
  out.blocks.push_back(figures(page));
  if (page.begin != 0 || page.end != page.points) {
    out.blocks.push_back(Note{NoteKind::info, say("a shard: points {} to {} of {}", page.begin,
                                                  page.end - 1, format_count(page.points))});
  }
  if (page.next < page.end) {
    out.blocks.push_back(
        Note{NoteKind::warning,
             say("unfinished: {} of its {} points are still to do; run the "
                 "sweep again with --resume",
                 format_count(page.end - page.next), format_count(page.end - page.begin))});
  }
  for (const sweep::Group& group : s.groups) {
    if (!s.objectives.empty() && group.selected > 0)
      add_group(s, group, {s.layout, page.labels}, out);
  }
  if (!page.sample.rows.empty()) {
    out.blocks.push_back(Heading{2, "Explore", ""});
    out.blocks.push_back(sweep_points(page));
  }
  add_reasons(s, out);
  out.blocks.push_back(Note{NoteKind::source, say("every row is in {}", page.database)});
  return out;
}

}  // namespace fathom::report
