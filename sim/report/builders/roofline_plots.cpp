#include "report/builders/roofline_plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::report::roofline {
namespace {

using lang::say;
using study::OperatorRoofline;
using study::RooflinePoint;

constexpr double kTera = 1e12;
constexpr double kReferenceBatch = 128.0;  // DeepSeek-V3's decode batch per GPU, when asked for

std::string core_name(const std::string& form) {
  return form.empty() ? "attention core" : say("attention core, {}", form);
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
  const double bandwidth = r.scenario.cluster.device.memory_bandwidth.value / kTera;
  const double reached = r.achievable_bandwidth.value / kTera;
  plot.note = say("Dashed: what large dense products reach, memory {}",
                  format_si(r.achievable_bandwidth.value, "B/s"));
  double bend = 0.0;
  for (const study::Roof& roof : r.roofs) bend = std::max(bend, roof.ridge.value);
  plot.series.push_back({.name = "memory bandwidth",
                         .kind = SeriesKind::line,
                         .xs = {x.low, bend},
                         .ys = {x.low * bandwidth, bend * bandwidth}});
  double reached_bend = 0.0;
  for (const study::Roof& roof : r.roofs) {
    const double peak = roof.peak.value / kTera;
    const double achievable = roof.achievable.value / kTera;
    plot.series.push_back({.name = say("{} peak", name(roof.math)),
                           .kind = SeriesKind::line,
                           .xs = {roof.ridge.value, x.high},
                           .ys = {peak, peak}});
    plot.references.push_back(
        {.kind = ReferenceKind::horizontal, .value = achievable, .from = achievable / reached});
    reached_bend = std::max(reached_bend, achievable / reached);
    plot.note =
        say("{}, {} {}", plot.note, name(roof.math), format_si(roof.achievable.value, "FLOP/s"));
  }
  plot.note = say("{}.", plot.note);
  plot.references.push_back(
      {.kind = ReferenceKind::diagonal, .value = reached, .to = reached_bend});
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

// The routed product that takes most time stands for all of them; empty without experts.
std::string largest_routed(const OperatorRoofline& r) {
  const std::string form = main_form(r);
  const Points routed =
      select(r, [&](const RooflinePoint& p) { return p.form == form && is_routed(p); });
  const auto largest =
      std::ranges::max_element(routed, {}, [](const RooflinePoint* p) { return p->row.share; });
  return largest == routed.end() ? "" : (*largest)->row.name;
}

}  // namespace

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

std::string batch_text(double batch) { return say("batch {:g}", batch); }

Points step_points(const OperatorRoofline& r) {
  const double batch = reference_batch(r);
  const std::string form = main_form(r);
  Points points =
      select(r, [&](const RooflinePoint& p) { return p.batch == batch && p.form == form; });
  std::ranges::stable_sort(points, std::greater<>{},
                           [](const RooflinePoint* p) { return p->row.share; });
  return points;
}

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

Plot step_plot(const OperatorRoofline& r) {
  const double batch = reference_batch(r);
  const BoundShare most = bound_shares(r).front();
  Plot plot = empty_plot(r, say("A {} step at {} per GPU: {} of its operators' time is bound by {}",
                                is_decode(r) ? "decode" : "prefill", batch_text(batch),
                                format_percent(most.share), timing::name(most.bound)));
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

// One line through the batches per attention core, and one for the routed experts.
Plot batch_plot(const OperatorRoofline& r) {
  const std::string form = main_form(r);
  const std::string routed = largest_routed(r);
  Plot plot = empty_plot(
      r, routed.empty() ? "Attention cores keep their intensity at every batch"
                        : "A larger batch carries routed experts up the memory roof; attention "
                          "cores keep their intensity");
  const std::size_t roofs = plot.series.size();
  std::vector<std::string> names;
  for (const RooflinePoint& p : r.points) {
    const bool wanted = p.core || (p.form == form && p.row.name == routed);
    if (!wanted || p.intensity.value <= 0.0) continue;
    const std::string name = p.core ? core_name(p.form) : p.row.name;
    const auto at = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
    if (at == names.size()) {
      names.push_back(name);
      plot.series.push_back({.name = name, .kind = SeriesKind::line_points});
    }
    // Cores keep their intensity, so only the ends of their short lines are told apart.
    const bool end = p.batch == r.batches.front() || p.batch == r.batches.back();
    add_point(plot.series[roofs + at], p, !p.core || end ? fmt::format("{:g}", p.batch) : "");
  }
  plot.note = say("Labels: {} per GPU. {}", is_decode(r) ? "sequences" : "prompts", plot.note);
  return plot;
}

}  // namespace fathom::report::roofline
