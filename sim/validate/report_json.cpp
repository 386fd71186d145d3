#include <nlohmann/json.hpp>

#include "validate/run.hpp"

namespace fathom::validate {
namespace {

using nlohmann::json;

json to_json(const RowResult& r) {
  json out{{"id", r.row.id},
           {"category", name(r.row.category)},
           {"claim", r.row.claim},
           {"source", r.row.source},
           {"unit", r.row.unit},
           {"published", published(r.row)},
           {"tolerance", r.row.tolerance},
           {"unknown", r.row.unknown},
           {"blind", r.row.blind},
           {"inside_tolerance", r.inside_tolerance}};
  if (r.row.low != r.row.high) out["published_range"] = {r.row.low, r.row.high};
  if (!r.infeasible.empty()) {
    out["infeasible"] = r.infeasible;
    return out;
  }
  out["predicted"] = r.predicted;
  out["error"] = r.error;
  if (r.interval) {
    out["interval"] = {{"p10", r.interval->p10}, {"p90", r.interval->p90}};
    out["inside_interval"] = r.inside_interval;
    json evidence = json::object();
    for (std::size_t i = 0; i < hw::kEvidenceCount; ++i)
      evidence[std::string(hw::name(static_cast<hw::Evidence>(i)))] = r.evidence[i];
    out["share_by_evidence"] = std::move(evidence);
  }
  return out;
}

json to_json(const CategorySummary& s) {
  json out{{"rows", s.rows},
           {"outside_tolerance", s.outside},
           {"infeasible", s.infeasible},
           {"not_expressible", s.gaps},
           {"with_interval", s.with_interval},
           {"inside_interval", s.inside_interval}};
  if (s.rows > s.infeasible) {
    out["median_error"] = s.median;
    out["p90_error"] = s.p90;
    out["worst_error"] = s.worst;
    out["bias"] = s.bias;
  }
  return out;
}

}  // namespace

json to_json(const LedgerReport& report) {
  json rows = json::array();
  for (const RowResult& r : report.rows) rows.push_back(to_json(r));
  json gaps = json::array();
  for (const Gap& gap : report.gaps) {
    gaps.push_back({{"id", gap.id},
                    {"category", name(gap.category)},
                    {"claim", gap.claim},
                    {"source", gap.source},
                    {"reason", gap.reason}});
  }
  json categories = json::object();
  for (const CategorySummary& s : report.categories)
    categories[std::string(name(s.category))] = to_json(s);
  json files = json::array();
  for (const LedgerFile& file : report.files)
    files.push_back({{"file", file.name}, {"hash", file.hash}});
  json out{{"rows", std::move(rows)},
           {"not_expressible", std::move(gaps)},
           {"files", std::move(files)},
           {"interval_basis", interval_basis()},
           {"summary",
            {{"categories", std::move(categories)},
             {"with_time_model", to_json(report.timed)},
             {"not_seen_before", to_json(report.blind)},
             {"all", to_json(report.all)}}}};
  if (report.day) {
    out["day"] = to_json(report.day->estimate);
    out["day"]["name"] = report.day->day.name;
    out["day"]["published_nodes"] = report.day->day.published_nodes;
  }
  return out;
}

}  // namespace fathom::validate
