#include "report/builders/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include "core/si_format.hpp"

namespace fathom::report {
namespace {

using study::OperatorRoofline;
using study::RooflinePoint;

constexpr double kTera = 1e12;
constexpr double kGiga = 1e9;
constexpr double kMicro = 1e-6;
constexpr double kReferenceBatch =
    128.0;  // DeepSeek-V3's decode batch per GPU, when it is asked for

using Points = std::vector<const RooflinePoint*>;
using Wanted = std::function<bool(const RooflinePoint&)>;

Points select(const OperatorRoofline& r, const Wanted& wanted) {
  Points out;
  for (const RooflinePoint& point : r.points) {
    if (wanted(point)) out.push_back(&point);
  }
  return out;
}

bool is_routed(const RooflinePoint& p) {
  return p.row.node.time.family == hw::Family::grouped_gemm ||
         p.row.node.time.family == hw::Family::grouped_gemm_decode;
}

double reference_batch(const OperatorRoofline& r) {
  const auto found = std::ranges::find(r.batches, kReferenceBatch);
  return found == r.batches.end() ? r.batches.back() : *found;
}

std::string main_form(const OperatorRoofline& r) { return r.points.front().form; }

bool is_decode(const OperatorRoofline& r) {
  return std::holds_alternative<infer::DecodeQuery>(r.scenario.workload);
}

std::string tokens_text(double tokens) {
  constexpr double kKi = 1024.0;
  const auto count = static_cast<std::int64_t>(tokens);
  return count % 1024 == 0 ? fmt::format("{:g} Ki", tokens / kKi) : format_count(count);
}

std::string batch_text(double batch) { return "batch " + format_significant(batch); }

std::string core_name(const std::string& form) {
  return form.empty() ? "attention core" : "attention core, " + form;
}

// What a legend calls a point's kind of work.
std::string group_of(const RooflinePoint& p) {
  if (p.core) return core_name(p.form);
  if (is_routed(p)) return "routed experts";
  if (p.row.node.time.family == hw::Family::indexer) return "indexer";
  return p.row.cost.flops.value > 0.0 ? "projections" : "";
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = 0.0;
  void take(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

// Room for the roofs' bend on the right and for the lowest point on the left.
Range intensities(const OperatorRoofline& r) {
  constexpr double kAir = 2.0;
  Range range;
  for (const RooflinePoint& p : r.points) {
    if (p.intensity.value > 0.0) range.take(p.intensity.value);
  }
  for (const study::Roof& roof : r.roofs) range.take(roof.ridge.value);
  return {range.low / kAir, range.high * kAir};
}

// Data-sheet roofs as solid lines; what large shapes reach, dashed.
void add_roofs(const OperatorRoofline& r, Plot& plot) {
  const Range x = intensities(r);
  const double bandwidth = r.scenario.cluster.device.memory_bandwidth.value;
  for (const study::Roof& roof : r.roofs) {
    plot.series.push_back(
        {.name = fmt::format("{} peak", name(roof.math)),
         .kind = SeriesKind::line,
         .xs = {x.low, roof.ridge.value, x.high},
         .ys = {x.low * bandwidth / kTera, roof.peak.value / kTera, roof.peak.value / kTera}});
    plot.references.push_back({ReferenceKind::horizontal, roof.achievable.value / kTera,
                               fmt::format("{} achievable", name(roof.math))});
  }
  plot.references.push_back(
      {ReferenceKind::diagonal, r.achievable_bandwidth.value / kTera,
       fmt::format("memory achievable {}", format_si(r.achievable_bandwidth.value, "B/s"))});
}

Plot empty_plot(const OperatorRoofline& r, std::string title) {
  const Range x = intensities(r);
  double top = 0.0;
  for (const study::Roof& roof : r.roofs) top = std::max(top, roof.peak.value / kTera);
  Plot plot{.title = std::move(title),
            .x = {.label = "arithmetic intensity", .unit = "FLOP/B", .scale = AxisScale::log},
            .y = {.label = "attained, estimated", .unit = "TFLOP/s", .scale = AxisScale::log}};
  plot.x.min = x.low;
  plot.x.max = x.high;
  plot.y.max = 2.0 * top;
  add_roofs(r, plot);
  return plot;
}

void add_point(Series& series, const RooflinePoint& p, std::string label) {
  series.xs.push_back(p.intensity.value);
  series.ys.push_back(p.attained.value / kTera);
  series.labels.push_back(std::move(label));
}

Plot step_plot(const OperatorRoofline& r) {
  const double batch = reference_batch(r);
  Plot plot = empty_plot(r, fmt::format("Every operator of a {} step at {} per GPU",
                                        is_decode(r) ? "decode" : "prefill", batch_text(batch)));
  const std::string form = main_form(r);
  const Points points = select(r, [&](const RooflinePoint& p) {
    return p.batch == batch && p.intensity.value > 0.0 && (p.core || p.form == form);
  });
  std::vector<std::string> groups;
  for (const RooflinePoint* p : points) {
    const std::string group = group_of(*p);
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  for (const std::string& group : groups) {
    Series series{.name = group, .kind = SeriesKind::points};
    for (const RooflinePoint* p : points) {
      if (group_of(*p) == group) add_point(series, *p, p->core ? "" : p->row.name);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

// One line through the batches per core and per routed product.
Plot batch_plot(const OperatorRoofline& r) {
  Plot plot = empty_plot(r,
                         "Batch moves routed experts up the memory roof; attention cores stay "
                         "at their intensity");
  const std::string form = main_form(r);
  std::vector<std::string> names;
  for (const RooflinePoint& p : r.points) {
    const bool wanted = p.core || (p.form == form && is_routed(p));
    if (!wanted || p.intensity.value <= 0.0) continue;
    const std::string name = p.core ? core_name(p.form) : p.row.name;
    if (std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
      plot.series.push_back({.name = name, .kind = SeriesKind::line_points});
    }
    const auto at = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
    Series& series = plot.series[r.roofs.size() + at];
    add_point(series, p, format_significant(p.batch));
  }
  plot.note = "Labels: sequences per GPU.";
  return plot;
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

Points step_points(const OperatorRoofline& r) {
  const double batch = reference_batch(r);
  const std::string form = main_form(r);
  Points points =
      select(r, [&](const RooflinePoint& p) { return p.batch == batch && p.form == form; });
  std::ranges::stable_sort(points, std::greater<>{},
                           [](const RooflinePoint* p) { return p->row.share; });
  return points;
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
                          fits ? "fits" : "does not fit: " + run.infeasible});
  }
  return table;
}

struct BoundShare {
  timing::Bound bound;
  double share = 0.0;
  std::string largest;
};

// Shares of the device operators' time at the reference batch, largest first.
std::vector<BoundShare> bound_shares(const OperatorRoofline& r) {
  std::vector<BoundShare> out;
  double total = 0.0;
  for (const RooflinePoint* p : step_points(r)) {
    const timing::Bound bound = p->row.node.time.bound;
    auto found = std::ranges::find(out, bound, &BoundShare::bound);
    if (found == out.end()) found = out.insert(out.end(), {.bound = bound, .largest = p->row.name});
    found->share += p->row.share;
    total += p->row.share;
  }
  for (BoundShare& share : out) share.share /= total;
  std::ranges::stable_sort(out, std::greater<>{}, &BoundShare::share);
  return out;
}

std::string core_clause(const OperatorRoofline& r) {
  const double batch = reference_batch(r);
  std::string out;
  for (const RooflinePoint* p :
       select(r, [&](const RooflinePoint& q) { return q.core && q.batch == batch; })) {
    const std::string what = p->form.empty() ? "the attention core" : p->form;
    if (out.find(what + " ") != std::string::npos) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", what,
                       format_significant(p->intensity.value));
  }
  if (out.empty()) return out;
  return fmt::format(" Attention cores, in FLOP/B against a bf16 ridge of {}: {}.",
                     format_significant(r.roofs.front().ridge.value), out);
}

std::string finding(const OperatorRoofline& r) {
  std::string shares;
  for (const BoundShare& share : bound_shares(r)) {
    shares += fmt::format("{}{} {} (most: {})", shares.empty() ? "" : ", ",
                          timing::name(share.bound), format_percent(share.share), share.largest);
  }
  const study::Scenario& s = r.scenario;
  return fmt::format("{} {} on {}, {}, {} per GPU, {} tokens: operator time by bound is {}.{}",
                     s.model.arch.name, is_decode(r) ? "decode" : "prefill", s.cluster.id,
                     mapping::describe(s.plan), batch_text(reference_batch(r)),
                     tokens_text(r.context_tokens), shares, core_clause(r));
}

Table roof_table(const OperatorRoofline& r) {
  Table table{
      .title = "Roofs of " + r.scenario.cluster.device.id,
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
  Document d{.title = fmt::format("Roofline of {} on {}", r.scenario.model.arch.name,
                                  r.scenario.cluster.id),
             .finding = finding(r)};
  d.blocks.push_back(step_plot(r));
  d.blocks.push_back(
      operator_table(fmt::format("Operators at {} per GPU{}", batch_text(reference_batch(r)),
                                 form.empty() ? "" : ", " + form + " form"),
                     step_points(r), false));
  d.blocks.push_back(Heading{2, "Batch size and attention form", ""});
  d.blocks.push_back(batch_plot(r));
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
