#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "measure/run.hpp"

namespace fathom::measure {
namespace {

using lang::say;
using namespace report;

std::string machine_line(const Measurement& m) {
  return say(
      "{} ({}), {} of {} CPUs, kernels for {}; L2 {:.3g} MiB, L3 {:.3g} MiB, huge pages {}, {}, "
      "{}, "
      "load average {:.1f}, seed {}",
      m.machine.model, fmt::join(m.machine.flags, " "), m.threads, m.machine.cpus, name(m.isa),
      static_cast<double>(m.machine.l2_bytes) * 0x1p-20,
      static_cast<double>(m.machine.l3_bytes) * 0x1p-20, m.machine.huge_pages, m.machine.system,
      m.machine.compiler, m.machine.load_average, m.seed);
}

Table ceiling_table(const Measurement& m) {
  Table table{
      .title = "Ceilings: nothing but the operation named",
      .columns = {text_column("ceiling"), number_column("threads", "", NumberFormat::exact),
                  text_column("unit"), number_column("median", "G/s"), number_column("best", "G/s"),
                  number_column("spread", "", NumberFormat::percent)}};
  for (const CeilingRow& row : m.ceilings)
    table.rows.push_back({row.name, row.threads, row.unit, row.rate.median / 1e9,
                          row.rate.high / 1e9,
                          row.rate.median > 0.0 ? row.rate.mad / row.rate.median : 0.0});
  return table;
}

Table kernel_table(const Measurement& m) {
  Table table{.title = "Kernels: medians of rounds, shares of the ceilings of the same rounds",
              .columns = {text_column("kernel"), number_column("time", "s", NumberFormat::seconds),
                          number_column("spread", "", NumberFormat::percent),
                          number_column("GFLOP/s"), number_column("GB/s"), number_column("FLOP/B"),
                          number_column("of compute", "", NumberFormat::percent),
                          number_column("of memory", "", NumberFormat::percent),
                          number_column("of roofline", "", NumberFormat::percent),
                          number_column("best", "", NumberFormat::percent), text_column("operands"),
                          text_column("rounds"), number_column("error"), text_column("note")}};
  for (const CaseResult& r : m.results) {
    if (r.time_s.count == 0) {
      table.rows.push_back({r.id, "", "", "", "", "", "", "", "", "", "", "0", r.error, r.note});
      continue;
    }
    const double time = r.time_s.median;
    table.rows.push_back(
        {r.id, time, r.time_s.mad / time, r.cost.flops.value / time / 1e9,
         ops::traffic(r.cost).value / time / 1e9, ops::intensity(r.cost).value, r.of_compute.median,
         r.of_memory.median, r.of_roofline.median, r.of_roofline.high, r.cold ? "cold" : "hot",
         fmt::format("{}{}", r.time_s.count, r.dropped > 0 ? fmt::format(" (-{})", r.dropped) : ""),
         r.error, r.note});
  }
  return table;
}

Table baseline_table(const Measurement& m) {
  Table table{.title = "Against libraries, in the same rounds: their time over ours",
              .columns = {text_column("kernel"), text_column("library"),
                          number_column("their time", "s", NumberFormat::seconds),
                          number_column("ours faster by", "x"), number_column("spread", "x")}};
  for (const CaseResult& r : m.results)
    for (const BaselineResult& b : r.baselines)
      if (b.time_s.count > 0)
        table.rows.push_back(
            {r.id, b.name + " " + b.version, b.time_s.median, b.speedup.median, b.speedup.mad});
  return table;
}

// Every kernel as a point under the roof of its machine.
Plot roofline_plot(const Measurement& m) {
  std::vector<double> compute, memory;
  std::map<std::string, Series> groups;
  for (const CaseResult& r : m.results) {
    if (r.time_s.count == 0 || r.cost.flops.value <= 0.0) continue;
    compute.push_back(r.compute_ceiling.median);
    memory.push_back(r.memory_ceiling.median);
    Series& series = groups[r.group];
    series.name = r.group;
    series.kind = SeriesKind::points;
    series.xs.push_back(ops::intensity(r.cost).value);
    series.ys.push_back(r.cost.flops.value / r.time_s.median / 1e9);
  }
  Plot plot{.title = "Measured kernels under the measured roof",
            .x = {.label = "intensity", .unit = "FLOP/B", .scale = AxisScale::log},
            .y = {.label = "rate", .unit = "GFLOP/s", .scale = AxisScale::log}};
  if (compute.empty()) return plot;
  const double peak = summarize(compute).median / 1e9;
  const double bandwidth = summarize(memory).median / 1e9;
  const double ridge = peak / bandwidth;
  plot.references.push_back({.kind = ReferenceKind::horizontal,
                             .value = peak,
                             .label = fmt::format("{:.3g} GFLOP/s", peak),
                             .from = ridge});
  plot.references.push_back({.kind = ReferenceKind::diagonal,
                             .value = bandwidth,
                             .label = fmt::format("{:.3g} GB/s", bandwidth),
                             .to = ridge});
  for (auto& [group, series] : groups) plot.series.push_back(std::move(series));
  return plot;
}

std::string finding(const Measurement& m) {
  std::vector<double> shares;
  double worst = 0.0;
  for (const CaseResult& r : m.results) {
    if (r.time_s.count > 0 && r.cost.flops.value > 0.0) shares.push_back(r.of_roofline.median);
    worst = std::max(worst, r.error);
  }
  return say(
      "{} kernels on {}: {:.0f} % of the roofline of the round in the median, largest "
      "relative error {:.1e}",
      m.results.size(), m.machine.model, 100.0 * summarize(shares).median, worst);
}

void add_notes(const Measurement& m, Document& out) {
  const auto note = [&](NoteKind kind, std::string text) {
    out.blocks.emplace_back(Note{kind, std::move(text)});
  };
  if (!m.complete)
    note(NoteKind::warning, "interrupted: the kernels below are whole, others are missing");
  if (busy(m.machine))
    note(NoteKind::warning, say("the machine was busy (load average {:.1f} on {} CPUs)",
                                m.machine.load_average, m.machine.cpus));
  if (!m.left_out.empty())
    note(NoteKind::warning, say("left out for want of memory: {}", fmt::join(m.left_out, ", ")));
  if (m.isa != kernels::cpu::Isa::amx)
    note(
        NoteKind::info,
        "no AMX here (or not asked for): shares of the compute ceiling are of the vector units and "
        "not comparable with those of an AMX machine");
}

}  // namespace

Document page(const Measurement& m) {
  Document out{.title = say("Kernels of this machine, {} suite", m.suite), .finding = finding(m)};
  out.blocks.emplace_back(Paragraph{machine_line(m)});
  add_notes(m, out);
  if (!m.ceilings.empty()) out.blocks.emplace_back(ceiling_table(m));
  out.blocks.emplace_back(kernel_table(m));
  Plot plot = roofline_plot(m);
  if (!plot.series.empty()) out.blocks.emplace_back(std::move(plot));
  Table baselines = baseline_table(m);
  if (!baselines.rows.empty()) out.blocks.emplace_back(std::move(baselines));
  out.blocks.emplace_back(Paragraph{
      "A round is ceilings, kernel, ceilings, libraries. Rounds are dropped when the ceilings "
      "before "
      "and after differ by more than a fourth or threads waited for a CPU. Cold: weights and "
      "caches "
      "were flushed before each call. `of compute`: of what products can be fed with in the round "
      "(AMX from L2, else the multiply-add rate); `of memory`: of eight interleaved read streams, "
      "or of as many as read clearly faster here; "
      "time is CPU time of the thread, wall time with several threads."});
  return out;
}

}  // namespace fathom::measure
