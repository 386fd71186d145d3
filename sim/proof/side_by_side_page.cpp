#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "lang/say.hpp"
#include "proof/side_by_side.hpp"

namespace fathom::proof {
namespace {

using lang::say;
using namespace report;

std::string side(const Placement& p) { return p.compute_side() ? "compute" : "memory"; }

std::string names(const SideBySide& c) {
  std::vector<std::string> ids;
  for (const hw::Cluster& cluster : c.clusters) ids.push_back(cluster.id);
  return fmt::format("{}", fmt::join(ids, ", "));
}

std::int64_t compute_sides(const SideBySide& c, std::size_t cluster) {
  return std::ranges::count_if(
      c.rows, [cluster](const SideBySideRow& row) { return row.there[cluster].compute_side(); });
}

std::string finding(const SideBySide& c) {
  const auto same = std::ranges::count_if(c.rows, &SideBySideRow::agrees);
  const auto here = std::ranges::count_if(
      c.rows, [](const SideBySideRow& row) { return row.here.compute_side(); });
  std::string out =
      say("{} of {} kernels lie on the same side of the ridge here and on {}; on the compute "
          "side lie {} here",
          same, c.rows.size(), names(c), here);
  for (std::size_t i = 0; i < c.clusters.size(); ++i)
    out = say("{}, {} on {}", out, compute_sides(c, i), c.clusters[i].id);
  return say("{}.", out);
}

// The roof of every machine at once: x up to the ridge, 1 from there on.
Plot normalised_roofline(const SideBySide& c) {
  Plot plot{.title = "Every kernel under the roof of its machine, measured here, estimated there",
            .x = {.label = "intensity over the machine's ridge", .scale = AxisScale::log},
            .y = {.label = "share of the machine's peak", .scale = AxisScale::log}};
  const auto add = [&](const std::string& machine, const auto& placement) {
    Series series{.name = machine, .kind = SeriesKind::points};
    for (const SideBySideRow& row : c.rows) {
      const Placement& p = placement(row);
      series.xs.push_back(p.over_ridge);
      series.ys.push_back(p.share);
    }
    plot.series.push_back(std::move(series));
  };
  add("here, measured", [](const SideBySideRow& row) -> const Placement& { return row.here; });
  for (std::size_t i = 0; i < c.clusters.size(); ++i)
    add(say("{}, estimated", c.clusters[i].id),
        [i](const SideBySideRow& row) -> const Placement& { return row.there[i]; });
  plot.references = {
      {.kind = ReferenceKind::diagonal, .value = 1.0, .label = "memory", .to = 1.0},
      {.kind = ReferenceKind::horizontal, .value = 1.0, .label = "peak", .from = 1.0},
      {.kind = ReferenceKind::vertical, .value = 1.0, .label = "ridge"}};
  return plot;
}

Table machine_table(const SideBySide& c) {
  Table table{.title = "The machines",
              .columns = {text_column("machine"), number_column("bf16 peak", "TFLOP/s"),
                          number_column("memory", "GB/s"), number_column("ridge", "FLOP/B"),
                          number_column("same side as here", "", NumberFormat::percent)}};
  std::vector<double> compute, memory;
  for (const measure::CaseResult& r : c.measurement.results) {
    if (r.time_s.count == 0) continue;
    compute.push_back(r.compute_ceiling.median);
    memory.push_back(r.memory_ceiling.median);
  }
  const double peak = measure::summarize(compute).median;
  const double bandwidth = measure::summarize(memory).median;
  table.rows.push_back({"here", peak / 1e12, bandwidth / 1e9, peak / bandwidth, ""});
  for (std::size_t i = 0; i < c.clusters.size(); ++i) {
    const hw::DeviceProfile& d = c.clusters[i].device;
    const auto same = std::ranges::count_if(c.rows, [i](const SideBySideRow& row) {
      return row.there[i].compute_side() == row.here.compute_side();
    });
    table.rows.push_back({c.clusters[i].id, d.peak_of(Math::bf16).value / 1e12,
                          d.memory_bandwidth.value / 1e9, hw::ridge(d, Math::bf16).value,
                          static_cast<double>(same) / static_cast<double>(c.rows.size())});
  }
  return table;
}

Table side_table(const SideBySide& c) {
  Table table{.title = "Kernels: side of the ridge and share of the peak",
              .columns = {text_column("kernel"), number_column("FLOP/B"), text_column("same side"),
                          text_column("side here"),
                          number_column("of peak here", "", NumberFormat::percent)}};
  for (const hw::Cluster& cluster : c.clusters) {
    table.columns.push_back(text_column(say("side {}", cluster.id)));
    table.columns.push_back(
        number_column(say("of peak {}", cluster.id), "", NumberFormat::percent));
  }
  for (const SideBySideRow& row : c.rows) {
    std::vector<Cell> cells{row.id, row.intensity, row.agrees() ? "yes" : "no", side(row.here),
                            row.here.share};
    for (const Placement& p : row.there) {
      cells.emplace_back(side(p));
      cells.emplace_back(p.share);
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table time_table(const SideBySide& c) {
  Table table{
      .title = "Kernels: time of one call, measured here, estimated there",
      .columns = {text_column("kernel"), number_column("here", "s", NumberFormat::seconds)}};
  for (const hw::Cluster& cluster : c.clusters) {
    table.columns.push_back(number_column(cluster.id, "s", NumberFormat::seconds));
    table.columns.push_back(text_column(say("bound on {}", cluster.id)));
  }
  for (const SideBySideRow& row : c.rows) {
    std::vector<Cell> cells{row.id, row.here.seconds};
    for (const Placement& p : row.there) {
      cells.emplace_back(p.seconds);
      cells.emplace_back(timing::name(p.bound));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace

Document page(const SideBySide& c) {
  Document out{.title = say("The same kernels here and on {}", names(c)), .finding = finding(c)};
  if (!c.measurement.complete)
    out.blocks.emplace_back(
        Note{NoteKind::warning, "interrupted: the kernels below are whole, others are missing"});
  if (c.measurement.isa != kernels::cpu::Isa::amx)
    out.blocks.emplace_back(Note{
        NoteKind::info,
        "without matrix units (AMX) the ridge here lies an order of magnitude below a GPU's: "
        "kernels "
        "whose intensity is between the two change sides, and the others are a fair scale model"});
  out.blocks.emplace_back(normalised_roofline(c));
  out.blocks.emplace_back(machine_table(c));
  out.blocks.emplace_back(side_table(c));
  out.blocks.emplace_back(time_table(c));
  out.blocks.emplace_back(Paragraph{
      "Intensity is that of the algorithm (compulsory FLOPs over compulsory bytes), the same on "
      "every "
      "machine; the ridge is the machine's: here the product ceiling over the read ceiling of the "
      "kernel's own rounds, elsewhere the profile's dense peak over its memory bandwidth. Shares "
      "here are measured, elsewhere the estimate of the time model for one call by itself, launch "
      "included: `overhead` says that fixed costs are most of it, as they are for shapes that keep "
      "a CPU core busy and a GPU not. Points above the roof here read their operands from a cache. "
      "Kernels without FLOPs (norms, copies, routing) are memory's on every machine and not "
      "counted."});
  Document details = measure::page(c.measurement);
  out.blocks.emplace_back(Details{"The measurement behind it", std::move(details.blocks)});
  return out;
}

}  // namespace fathom::proof
