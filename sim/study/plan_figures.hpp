#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::study {

/// One line of two plans side by side.
struct FigurePair {
  std::string what;
  std::string unit;
  std::optional<double> a;  // absent: not part of the answer, or unknown
  std::optional<double> b;
  std::optional<double> ratio() const;  // b / a
};

/// The words that name an answer's cluster: "192 h800, disaggregated".
struct PlanLabel {
  std::string name;     // of the request, or its model
  std::string cluster;  // empty: nothing meets the targets
};

struct PlanComparison {
  PlanLabel a;
  PlanLabel b;
  std::vector<FigurePair> question;  // traffic and targets
  std::vector<FigurePair> smallest;
  std::vector<FigurePair> cheapest;
};

/// Whether a document is a result of `fathom plan --format json` (rather than a request).
bool is_plan_result(const nlohmann::json& document);

/// Of two results. InputError with `where` for a document that is none.
PlanComparison compare_plans(const nlohmann::json& a, std::string_view where_a,
                             const nlohmann::json& b, std::string_view where_b);
nlohmann::json to_json(const PlanComparison& comparison);

}  // namespace fathom::study
