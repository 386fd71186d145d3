#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sweep/rows.hpp"
#include "sweep/sweep.hpp"

namespace fathom::sweep {

struct Row {
  std::int64_t number = 0;
  std::vector<double> inputs;
  std::vector<double> results;
  bool operator==(const Row&) const = default;
};

/// The rows of one base scenario: a prefill and a decode are no rivals.
struct Group {
  std::string base;
  std::int64_t rows = 0;
  std::int64_t feasible = 0;
  std::int64_t selected = 0;           // feasible and passed by every filter
  std::int64_t without_objective = 0;  // selected, but an objective is NaN
  std::vector<Row> best;   // one per objective, among selected rows; the first of equals
  std::vector<Row> front;  // selected rows that no other beats in every objective
};

/// What a reader wants to know of a million rows.
struct Summary {
  Layout layout;
  std::vector<Objective> objectives;
  bool filtered = false;  // the layout has a column `selected`
  std::vector<Group> groups;
  // Kinds of reasons (their numbers left out) and how many rows have one.
  std::map<std::string, std::int64_t> reasons;
};
std::int64_t rows(const Summary& summary);
std::int64_t feasible(const Summary& summary);
std::int64_t selected(const Summary& summary);

/// A reason with its numbers, and their binary units, replaced by "#": rows that fail alike count
/// together.
std::string reason_kind(std::string_view reason);

/// Collects rows block by block, in any order of calls but with ascending numbers.
class Summarizer {
 public:
  Summarizer(Layout layout, std::vector<Objective> objectives);
  void add(const Block& block);
  Summary take() { return std::move(summary_); }

 private:
  Group& group_of(double base);
  void add_to_front(const Block& block, const std::vector<std::size_t>& rows, Group& group) const;
  void add_to_best(const Block& block, std::size_t row, Group& group) const;
  double value(const std::vector<double>& results, std::size_t row, std::size_t column) const;

  Summary summary_;
  std::int32_t selected_column_ = -1;
};

/// The objectives that a sweep's document names, as columns of a database's layout. InputError for
/// a document of another program.
std::vector<Objective> objectives_of(const nlohmann::json& document, const Layout& layout);

/// A column's value for people and JSON: text, number or null.
nlohmann::json shown_value(const Column& column, double value);

nlohmann::json to_json(const Summary& summary);

}  // namespace fathom::sweep
