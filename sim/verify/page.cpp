#include "verify/page.hpp"
#include "lang/say.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom::verify {
namespace {

using lang::say;
using nlohmann::json;
using namespace report;

std::string_view name(CaseStatus status) {
  constexpr std::array<std::string_view, 4> names{"passed", "failed", "unknown kind", "unreadable"};
  return names.at(static_cast<std::size_t>(status));
}

Cell small_number(double value) {
  Cell cell{value};
  cell.shown = fmt::format("{:.2g}", value);
  return cell;
}

std::vector<Cell> row(const CaseReport& report, const Comparison& c) {
  return {report.name,
          c.tensor,
          c.f64 ? "float64" : "float32",
          c.elements,
          small_number(c.max_error),
          small_number(c.tolerance),
          c.pass ? "pass" : "FAIL",
          c.note};
}

Table tensor_table(const std::vector<CaseReport>& cases, bool failures_only) {
  Table table{
      .title = "Every expected tensor against ours",
      .columns = {text_column("case"), text_column("tensor"), text_column("run"),
                  number_column("elements", "", NumberFormat::exact), number_column("max error"),
                  number_column("tolerance"), text_column("result"), text_column("note")}};
  for (const CaseReport& report : cases) {
    for (const Comparison& c : report.comparisons) {
      if (!failures_only || !c.pass) table.rows.push_back(row(report, c));
    }
  }
  return table;
}

Table case_table(const std::vector<CaseReport>& cases) {
  Table table{.title = "Cases",
              .columns = {text_column("case"), text_column("kind"),
                          number_column("tensors", "", NumberFormat::exact),
                          number_column("failed", "", NumberFormat::exact), text_column("result"),
                          text_column("note")}};
  for (const CaseReport& report : cases) {
    long failed = 0;
    for (const Comparison& c : report.comparisons) failed += c.pass ? 0 : 1;
    table.rows.push_back({report.name, report.family.empty() ? "-" : report.family,
                          report.comparisons.size(), failed, name(report.status), report.error});
  }
  return table;
}

json to_json(const Comparison& c) {
  json out{{"tensor", c.tensor},       {"run", c.f64 ? "float64" : "float32"},
           {"elements", c.elements},   {"outside", c.outside},
           {"tolerance", c.tolerance}, {"pass", c.pass}};
  out["max_error"] = std::isfinite(c.max_error) ? json(c.max_error) : json("infinite");
  if (!c.note.empty()) out["note"] = c.note;
  return out;
}

}  // namespace

Summary summarize(const std::vector<CaseReport>& cases) {
  Summary s;
  for (const CaseReport& report : cases) {
    ++s.cases;
    s.passed += report.status == CaseStatus::passed ? 1 : 0;
    s.failed += report.status == CaseStatus::failed ? 1 : 0;
    s.unknown += report.status == CaseStatus::unknown_kind ? 1 : 0;
    s.unreadable += report.status == CaseStatus::unreadable ? 1 : 0;
    s.tensors += static_cast<long>(report.comparisons.size());
    for (const Comparison& c : report.comparisons) s.tensors_failed += c.pass ? 0 : 1;
  }
  return s;
}

std::string text(const Summary& s) {
  std::string out = say("{} cases: {} passed, {} failed", s.cases, s.passed, s.failed);
  if (s.unknown > 0) out = say("{}, {} of unknown kind", out, s.unknown);
  if (s.unreadable > 0) out = say("{}, {} unreadable", out, s.unreadable);
  return say("{}; {} tensors compared, {} outside of their tolerance", out, s.tensors,
             s.tensors_failed);
}

Document page(const std::vector<CaseReport>& cases, bool failures_only) {
  const std::string closing = text(summarize(cases));
  Document document{.title = "Golden cases replayed with our kernels", .finding = closing};
  Table tensors = tensor_table(cases, failures_only);
  if (!tensors.rows.empty()) document.blocks.emplace_back(std::move(tensors));
  document.blocks.emplace_back(case_table(cases));
  document.blocks.emplace_back(Note{
      NoteKind::info,
      "The float32 run is held to the tolerance stated in `case.json` (where it states none, to "
      "4e-7 of the largest value), the float64 run to 1e-11, integers and schedules to equality. "
      "Where a case warns that rounding cells may flip, up to 5 % of the cells may differ."});
  document.blocks.emplace_back(Paragraph{closing});
  return document;
}

json to_json(const std::vector<CaseReport>& cases) {
  const Summary s = summarize(cases);
  json list = json::array();
  for (const CaseReport& report : cases) {
    json tensors = json::array();
    for (const Comparison& c : report.comparisons) tensors.push_back(to_json(c));
    json out{{"case", report.name}, {"kind", report.family}, {"status", name(report.status)}};
    if (!report.error.empty()) out["error"] = report.error;
    out["tensors"] = std::move(tensors);
    list.push_back(std::move(out));
  }
  return {{"cases", list},
          {"summary",
           {{"cases", s.cases},
            {"passed", s.passed},
            {"failed", s.failed},
            {"unknown_kind", s.unknown},
            {"unreadable", s.unreadable},
            {"tensors", s.tensors},
            {"tensors_failed", s.tensors_failed}}}};
}

}  // namespace fathom::verify
