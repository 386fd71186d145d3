#include "report/builders/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/roofline_plots.hpp"

namespace fathom::report {
namespace {

using lang::say;
using roofline::batch_text;
using roofline::bound_shares;
using roofline::BoundShare;
using roofline::is_decode;
using roofline::is_routed;
using roofline::main_form;
using roofline::Points;
using roofline::reference_batch;
using roofline::select;
using roofline::step_points;
using study::OperatorRoofline;
using study::RooflinePoint;

constexpr double kTera = 1e12;
constexpr double kGiga = 1e9;
constexpr double kMicro = 1e-6;

std::string tokens_text(double tokens) {
  constexpr double kKi = 1024.0;
  const auto count = static_cast<std::int64_t>(tokens);
  return count % 1024 == 0 ? fmt::format("{:g} Ki", tokens / kKi) : format_count(count);
}

std::vector<Column> columns(bool with_form) {
  std::vector<Column> out{text_column("operator")};
  if (with_form) {
    out.push_back(text_column("form"));
    out.push_back(number_column("batch", "per GPU", NumberFormat::exact));
  }
  for (Column column :
       {text_column("math"), number_column("calls", "", NumberFormat::exact),
        number_column("FLOP", "", NumberFormat::si), number_column("bytes", "B", NumberFormat::si),
        number_column("intensity", "FLOP/B"), number_column("attained", "TFLOP/s"),
        number_column("roof", "TFLOP/s"), number_column("of roof", "", NumberFormat::percent),
        number_column("moved", "GB/s"), number_column("time", "us"),
        number_column("share", "", NumberFormat::percent), text_column("bound"),
        text_column("evidence")}) {
    out.push_back(std::move(column));
  }
  return out;
}

Cell missing() {
  Cell cell{""};
  cell.shown = "–";
  return cell;
}

std::vector<Cell> cells_of(const RooflinePoint& p, bool with_form) {
  const timing::OpTime& time = p.row.node.time;
  const bool arithmetic = p.intensity.value > 0.0;
  std::vector<Cell> out{p.row.name};
  if (with_form) {
    out.emplace_back(p.form.empty() ? "as published" : p.form);
    out.emplace_back(p.batch);
  }
  out.emplace_back(arithmetic ? name(p.row.cost.math) : "–");
  out.emplace_back(p.row.calls);
  out.push_back(arithmetic ? Cell{p.row.cost.flops.value} : missing());
  out.emplace_back(traffic(p.row.cost).value);
  for (const double v : {p.intensity.value, p.attained.value / kTera, p.roof.value / kTera,
                         arithmetic ? p.attained / p.roof : 0.0}) {
    out.push_back(arithmetic ? Cell{v} : missing());
  }
  out.emplace_back(traffic(p.row.cost).value / time.total.value / kGiga);
  out.emplace_back(time.total.value / kMicro);
  out.emplace_back(p.row.share);
  out.emplace_back(timing::name(time.bound));
  out.emplace_back(hw::name(time.evidence));
  return out;
}

Table operator_table(std::string title, const Points& points, bool with_form) {
  Table table{.title = std::move(title), .columns = columns(with_form)};
  for (const RooflinePoint* p : points) table.rows.push_back(cells_of(*p, with_form));
  return table;
}

Table run_table(const OperatorRoofline& r) {
  Table table{
      .title = "Whole step, communication included",
      .columns = {
          text_column("form"), number_column("batch", "per GPU", NumberFormat::exact),
          number_column(is_decode(r) ? "time per output token" : "time to first token", "ms"),
          text_column("memory")}};
  for (const study::RooflineRun& run : r.runs) {
    const bool fits = run.infeasible.empty();
    table.rows.push_back({run.form.empty() ? "as published" : run.form, run.batch,
                          fits ? Cell{1e3 * run.latency.value} : missing(),
                          fits ? "fits" : say("does not fit: {}", run.infeasible)});
  }
  return table;
}

std::string core_clause(const OperatorRoofline& r) {
  const double batch = reference_batch(r);
  std::vector<std::string> cores;
  for (const RooflinePoint* p :
       select(r, [&](const RooflinePoint& q) { return q.core && q.batch == batch; })) {
    cores.push_back(fmt::format("{} {}", lang::tr(p->form.empty() ? p->row.name : p->form),
                                format_significant(p->intensity.value)));
  }
  if (cores.empty()) return "";
  return say("Attention cores, in FLOP/B against a bf16 ridge of {}: {}.",
             format_significant(r.roofs.front().ridge.value), lang::listed(cores));
}

std::string finding(const OperatorRoofline& r) {
  constexpr double kWorthSaying = 0.005;
  std::vector<std::string> shares;
  for (const BoundShare& share : bound_shares(r)) {
    if (share.share < kWorthSaying) continue;
    shares.push_back(say("{} {} (most: {})", timing::name(share.bound), format_percent(share.share),
                         share.largest));
  }
  const study::Scenario& s = r.scenario;
  std::string text = say("{} {} on {}, {}, {} per GPU, {} tokens: operator time by bound is {}.",
                         s.model.arch.name, is_decode(r) ? "decode" : "prefill", s.cluster.id,
                         mapping::describe(s.plan), batch_text(reference_batch(r)),
                         tokens_text(r.context_tokens), lang::listed(shares));
  const std::string cores = core_clause(r);
  return cores.empty() ? text : say("{} {}", text, cores);
}

Table roof_table(const OperatorRoofline& r) {
  Table table{
      .title = say("Roofs of {}", r.scenario.cluster.device.id),
      .columns = {text_column("arithmetic"), number_column("peak", "TFLOP/s"),
                  number_column("achievable", "TFLOP/s"), number_column("ridge", "FLOP/B")}};
  for (const study::Roof& roof : r.roofs) {
    table.rows.push_back({name(roof.math), roof.peak.value / kTera, roof.achievable.value / kTera,
                          roof.ridge.value});
  }
  return table;
}

void add_notes(const OperatorRoofline& r, std::vector<Block>& blocks) {
  blocks.push_back(Heading{2, "Assumptions and sources", ""});
  const auto note = [&](NoteKind kind, std::string text) {
    blocks.push_back(Note{kind, std::move(text)});
  };
  note(NoteKind::assumption,
       "Achievable roofs: shares that large dense products reach on this device; attention and "
       "routed experts have shares of their own, so a point may lie above or below.");
  note(NoteKind::assumption,
       "Intensity counts every byte through device memory: weights, cache, queries and outputs.");
  note(NoteKind::assumption,
       "Operators of one rank. Small ones without counted arithmetic appear in the tables by their "
       "bytes; communication is not on the device's roofline.");
  for (const std::string& text : r.notes) note(NoteKind::assumption, text);
  for (const std::string& text : r.scenario.model.source) note(NoteKind::source, text);
  for (const std::string& text : r.scenario.cluster.sources) note(NoteKind::source, text);
}

}  // namespace

Document roofline_document(const OperatorRoofline& r) {
  const std::string form = main_form(r);
  const std::string batch = batch_text(reference_batch(r));
  Document d{
      .title = say("Roofline of {} on {}", r.scenario.model.arch.name, r.scenario.cluster.id),
      .finding = finding(r)};
  d.blocks.push_back(roofline::step_plot(r));
  d.blocks.push_back(operator_table(form.empty()
                                        ? say("Operators at {} per GPU", batch)
                                        : say("Operators at {} per GPU, {} form", batch, form),
                                    step_points(r), false));
  d.blocks.push_back(Heading{2, "Batch size and attention form", ""});
  d.blocks.push_back(roofline::batch_plot(r));
  d.blocks.push_back(operator_table(
      "Attention cores", select(r, [](const RooflinePoint& p) { return p.core; }), true));
  const Points routed =
      select(r, [&](const RooflinePoint& p) { return p.form == form && is_routed(p); });
  if (!routed.empty()) d.blocks.push_back(operator_table("Routed experts", routed, true));
  d.blocks.push_back(run_table(r));
  d.blocks.push_back(roof_table(r));
  const Points all = select(r, [](const RooflinePoint&) { return true; });
  d.blocks.push_back(
      Details{"Every operator at every batch", {operator_table("All operators", all, true)}});
  add_notes(r, d.blocks);
  return d;
}

}  // namespace fathom::report
