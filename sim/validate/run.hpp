#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "validate/ledger.hpp"
#include "validate/production_day.hpp"

namespace fathom::validate {

struct LedgerRequest {
  std::filesystem::path folder;                 // of ledger files; empty: reports/ledger
  std::vector<std::string> categories;          // only these; empty: all
  std::string day = "day-deepseek-2025-02-27";  // of examples/; empty: no such section
  int draws = 200;                              // per interval
  std::uint64_t seed = 1;
  int threads = 0;  // 0: all cores
};

/// A row with our answer.
struct RowResult {
  Row row;
  std::string infeasible;  // why our model cannot run the set-up; empty: it can
  double predicted = 0.0;
  std::optional<Interval> interval;
  double error = 0.0;  // predicted / published - 1
  std::array<double, hw::kEvidenceCount> evidence{};
  bool inside_tolerance = false;
  bool inside_interval = false;
};

struct CategorySummary {
  Category category = Category::exact;
  long rows = 0;
  long outside = 0;  // of tolerance, infeasible ones included
  long gaps = 0;     // not expressible
  long infeasible = 0;
  double median = 0.0;  // of |error|
  double p90 = 0.0;
  double bias = 0.0;  // geometric mean of predicted / published, less 1
  double worst = 0.0;
  long with_interval = 0;
  long inside_interval = 0;
};

struct DayReport {
  ProductionDay day;
  DayEstimate estimate;
};

struct LedgerReport {
  std::vector<RowResult> rows;
  std::vector<Gap> gaps;
  std::vector<LedgerFile> files;
  std::vector<CategorySummary> categories;  // those that have rows or gaps, in order
  CategorySummary blind;                    // over rows that nobody looked at before
  CategorySummary timed;                    // over all rows with a time model behind them
  CategorySummary all;
  std::optional<DayReport> day;
};

/// Predicts every row. InputError for what a ledger file gets wrong.
LedgerReport run_ledger(const LedgerRequest& request);
/// The same for rows already read.
LedgerReport run_ledger(const Ledger& ledger, const LedgerRequest& request);

/// Whether a row is outside of its tolerance: exit code 4.
bool outside_tolerance(const LedgerReport& report);

/// Everything, rows in ledger order.
nlohmann::json to_json(const LedgerReport& report);

}  // namespace fathom::validate
