#include "validate/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "core/parallel.hpp"
#include "validate/quantity.hpp"

namespace fathom::validate {
namespace {

// The row's number, from those of its set-ups; `second` is empty where there is only one.
Predicted combined(const Row& row, const Predicted& first, const std::optional<Predicted>& second) {
  if (!second || std::holds_alternative<infer::Infeasible>(first)) {
    if (const auto* number = std::get_if<double>(&first)) return row.scale * *number;
    return first;
  }
  if (std::holds_alternative<infer::Infeasible>(*second)) return *second;
  const double a = std::get<double>(first);
  const double b = std::get<double>(*second);
  if (row.relation == Relation::divided_by) return row.scale * (a / b);
  return row.scale * (a + (row.relation == Relation::minus ? -row.weight : row.weight) * b);
}

Predicted value_of(const Row& row) {
  std::optional<Predicted> second;
  if (row.other) second = quantity(row.other->setup, row.other->quantity);
  return combined(row, quantity(row.measure.setup, row.measure.quantity), second);
}

// One side of a row, draw after draw.
class Side {
 public:
  Side(const Measure& measure, Unknowns unknowns)
      : measure_(measure), unknowns_(unknowns), variations_(measure.setup) {}

  Predicted at(const Draw& draw) {
    return quantity(variations_.at(draw, unknowns_), measure_.quantity, kept_);
  }

 private:
  const Measure& measure_;
  Unknowns unknowns_;
  Variations variations_;
  std::optional<study::Answer> kept_;
};

std::optional<Interval> interval(const Row& row, const std::vector<Draw>& sample) {
  std::vector<double> values;
  values.reserve(sample.size());
  Side first{row.measure, row.unknowns};
  std::optional<Side> other;
  if (row.other) other.emplace(*row.other, row.unknowns);
  for (const Draw& draw : sample) {
    // one draw for both sides of a ratio: what they share cancels
    std::optional<Predicted> second;
    if (other) second = other->at(draw);
    const Predicted value = combined(row, first.at(draw), second);
    // a larger batch may not fit; the rest of the sample still says how wide the answer is
    const auto* number = std::get_if<double>(&value);
    if (number == nullptr) continue;
    values.push_back(row.relation == Relation::divided_by ? *number * shape_factor(draw) : *number);
  }
  if (values.empty()) return std::nullopt;
  const Interval out = interval_of(std::move(values));
  // arithmetic on published totals: no draw moves it
  if (out.p90 - out.p10 <= 1e-9 * std::abs(out.p90)) return std::nullopt;
  return out;
}

RowResult predict(const Row& row, const std::vector<Draw>& sample) try {
  RowResult out{.row = row};
  const Predicted value = value_of(row);
  if (const auto* reason = std::get_if<infer::Infeasible>(&value)) {
    out.infeasible = reason->reason;
    return out;
  }
  out.predicted = std::get<double>(value);
  FATHOM_EXPECT(std::isfinite(out.predicted), "a prediction is a number");
  out.error = out.predicted / published(row) - 1.0;
  out.inside_tolerance = out.predicted >= row.low * (1.0 - row.tolerance) &&
                         out.predicted <= row.high * (1.0 + row.tolerance);
  out.evidence = evidence_shares(row.measure.setup);
  if (has_interval(row.category)) out.interval = interval(row, sample);
  out.inside_interval =
      out.interval && row.high >= out.interval->p10 && row.low <= out.interval->p90;
  return out;
} catch (const InputError& error) {
  throw InputError(fmt::format("ledger row '{}': {}", row.id, error.what()));
}

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0.0;
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

template <class Keep>
CategorySummary summarize(const LedgerReport& report, const Keep& keep) {
  CategorySummary out;
  std::vector<double> errors;
  double log_sum = 0.0;
  for (const RowResult& r : report.rows) {
    if (!keep(r.row)) continue;
    ++out.rows;
    out.outside += r.inside_tolerance ? 0 : 1;
    out.with_interval += r.interval ? 1 : 0;
    out.inside_interval += r.interval && r.inside_interval ? 1 : 0;
    if (!r.infeasible.empty()) {
      ++out.infeasible;
      continue;
    }
    errors.push_back(std::abs(r.error));
    log_sum += std::log(std::max(1.0 + r.error, 1e-6));  // a difference may have the wrong sign
  }
  if (errors.empty()) return out;
  std::ranges::sort(errors);
  out.median = quantile(errors, 0.5);
  out.p90 = quantile(errors, 0.9);
  out.worst = errors.back();
  out.bias = std::expm1(log_sum / static_cast<double>(errors.size()));
  return out;
}

void summarize_all(LedgerReport& report) {
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    const auto category = static_cast<Category>(i);
    CategorySummary one =
        summarize(report, [category](const Row& row) { return row.category == category; });
    one.category = category;
    one.gaps = std::ranges::count(report.gaps, category, &Gap::category);
    if (one.rows + one.gaps > 0) report.categories.push_back(one);
  }
  report.timed = summarize(report, [](const Row& row) { return has_interval(row.category); });
  report.blind =
      summarize(report, [](const Row& row) { return row.blind && has_interval(row.category); });
  report.all = summarize(report, [](const Row&) { return true; });
  report.all.gaps = static_cast<long>(report.gaps.size());
}

bool wanted(const LedgerRequest& request, Category category) {
  return request.categories.empty() ||
         std::ranges::find(request.categories, name(category)) != request.categories.end();
}

void check_categories(const LedgerRequest& request) {
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < kCategoryCount; ++i) known.push_back(name(static_cast<Category>(i)));
  for (const std::string& asked : request.categories) {
    if (std::ranges::find(known, asked) != known.end()) continue;
    const std::string hint = did_you_mean(asked, known);
    throw InputError(fmt::format(
        "command line: unknown category '{}'{}", asked,
        hint.empty() ? fmt::format("; expected one of {}", fmt::join(known, ", ")) : hint));
  }
}

}  // namespace

LedgerReport run_ledger(const Ledger& ledger, const LedgerRequest& request) {
  check_categories(request);
  std::vector<Row> rows;
  for (const Row& row : ledger.rows) {
    if (wanted(request, row.category)) rows.push_back(row);
  }
  LedgerReport report{.files = ledger.files};
  for (const Gap& gap : ledger.gaps) {
    if (wanted(request, gap.category)) report.gaps.push_back(gap);
  }
  const std::vector<Draw> sample = draws(request.draws, request.seed);
  report.rows = parallel_map(
      static_cast<std::int64_t>(rows.size()), request.threads,
      [&](std::int64_t i) { return predict(rows[static_cast<std::size_t>(i)], sample); });
  summarize_all(report);
  if (!request.day.empty()) {
    const auto file = find_data_file(request.day, "examples");
    const ProductionDay day = parse_day(read_json(file), request.day + "#");
    report.day = DayReport{day, estimate(day)};
  }
  return report;
}

LedgerReport run_ledger(const LedgerRequest& request) {
  return run_ledger(load_ledger(request.folder), request);
}

bool outside_tolerance(const LedgerReport& report) { return report.all.outside > 0; }

}  // namespace fathom::validate
