#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "study/attention_trade.hpp"
#include "study/cache_trade.hpp"
#include "study/claims.hpp"
#include "study/draft_trade.hpp"
#include "study/expert_trade.hpp"
#include "study/hardware_trade.hpp"
#include "study/plan_request.hpp"
#include "study/scenario.hpp"

namespace fathom::study {

/// Operators of one step at several batches.
struct RooflineSpec {
  Scenario scenario;
  std::vector<double> batches;  // per device, ascending
  std::string other_attention;  // beside the model's own; empty: none
};

/// Published results beside ours.
struct ValidationSpec {
  std::vector<std::string> categories;  // of the ledger; empty: all
  bool operator==(const ValidationSpec&) const = default;
};

/// What the time model of machines rests on.
struct CalibrationSpec {
  std::vector<std::string> hardware;  // whose efficiencies; empty with `measured`
  std::string measured;               // a folder of tables to fit instead; empty: none
  std::string device, family;         // of the tables, only these; empty: all
  bool operator==(const CalibrationSpec&) const = default;
};

/// The reports that have a spec, in the order of ReportSpec::body.
inline constexpr std::array<std::string_view, 10> kReports{
    "capacity", "compare-attention", "compare-hardware", "kv-cache",    "moe",
    "mtp",      "roofline",          "validation",       "calibration", "claims"};

/// A report as asked for: {"report": NAME, …}.
struct ReportSpec {
  std::string title;  // empty: the report's own
  std::variant<PlanRequest, TradeRequest, HardwareTradeRequest, CacheTradeRequest,
               ExpertTradeRequest, DraftTradeRequest, RooflineSpec, ValidationSpec, CalibrationSpec,
               std::vector<Claim>>
      body;
};
std::string_view name(const ReportSpec& spec);

/// InputError with `where` and a pointer for anything misspelt, missing or out of range; names of
/// models and machines are looked up when the report is made.
ReportSpec parse_report_spec(const nlohmann::json& document, std::string_view where);

/// With every default spelled out; parse_report_spec() of it gives the same report.
nlohmann::json to_json(const ReportSpec& spec);

}  // namespace fathom::study
