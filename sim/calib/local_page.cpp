#include "calib/local_page.hpp"
#include "lang/say.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom::calib {
namespace {

using lang::say;
using namespace report;

Table family_table(const LocalCalibration& c) {
  Table table{.title = "Efficiency curves: shares of the ceilings of the same rounds",
              .columns = {text_column("family"), number_column("samples", "", NumberFormat::exact),
                          number_column("compute", "", NumberFormat::percent),
                          number_column("memory", "", NumberFormat::percent),
                          number_column("fixed", "s", NumberFormat::seconds),
                          number_column("blend"), number_column("in cache", "GB/s"),
                          number_column("residual", "", NumberFormat::percent),
                          number_column("left out: median", "", NumberFormat::percent),
                          number_column("p90", "", NumberFormat::percent),
                          number_column("small to large", "", NumberFormat::percent),
                          number_column("80 % band", "±%")}};
  for (const LocalEntry& e : c.entries) {
    const bool arithmetic = hw::is_arithmetic(e.family);
    const hw::Efficiency& f = e.efficiency;
    table.rows.push_back({hw::name(e.family), e.samples, arithmetic ? Cell{f.compute} : Cell{""},
                          f.memory, f.overhead.value, arithmetic ? Cell{f.blend} : Cell{""},
                          f.cache_rate.value / 1e9, e.in_sample.median, e.leave_one_out.median,
                          e.leave_one_out.p90, e.small_to_large.median,
                          100.0 * std::expm1(1.2816 * f.log_sigma)});
  }
  return table;
}

// Each sample predicted by the curve fitted without it.
struct Left {
  const LocalSample* sample;
  double log_ratio;
  hw::Family family;
};

std::vector<Left> left_out(const LocalCalibration& c) {
  std::vector<Left> out;
  for (const LocalEntry& e : c.entries) {
    std::size_t next = 0;
    for (const LocalSample& s : c.samples)
      if (s.family == e.family) out.push_back({&s, e.residuals[next++], e.family});
  }
  return out;
}

Plot parity_plot(const LocalCalibration& c) {
  Plot plot{.title = "Every kernel predicted without itself",
            .x = {.label = "measured", .unit = "s", .scale = AxisScale::log},
            .y = {.label = "predicted", .unit = "s", .scale = AxisScale::log}};
  for (const Left& one : left_out(c)) {
    const std::string name{hw::name(one.family)};
    auto series = std::find_if(plot.series.begin(), plot.series.end(),
                               [&](const Series& s) { return s.name == name; });
    if (series == plot.series.end()) {
      plot.series.push_back({.name = name, .kind = SeriesKind::points});
      series = std::prev(plot.series.end());
    }
    series->xs.push_back(one.sample->time.value);
    series->ys.push_back(one.sample->time.value * std::exp(one.log_ratio));
  }
  plot.references.push_back({.kind = ReferenceKind::diagonal, .value = 1.0, .label = "equal"});
  return plot;
}

Table sample_table(const LocalCalibration& c) {
  Table table{.title = "Samples",
              .columns = {text_column("kernel"), text_column("family"),
                          number_column("measured", "s", NumberFormat::seconds),
                          number_column("noise", "", NumberFormat::percent),
                          number_column("left out: error", "", NumberFormat::percent)}};
  for (const Left& one : left_out(c))
    table.rows.push_back({one.sample->id, hw::name(one.family), one.sample->time.value,
                          one.sample->noise, std::expm1(one.log_ratio)});
  return table;
}

Score overall(const LocalCalibration& c) {
  std::vector<double> predicted;
  for (const Left& one : left_out(c)) predicted.push_back(std::exp(one.log_ratio));
  return score(predicted, std::vector<double>(predicted.size(), 1.0));
}

}  // namespace

Document local_page(const LocalCalibration& c) {
  const Score all = overall(c);
  Document out{
      .title = "This machine, calibrated",
      .finding =
          say("{} kernels on {} ({}, threads: {}): predicted without themselves {:.1f} % off in "
              "the median, {:.1f} % at p90; products fed at {:.4g} GFLOP/s, memory read at "
              "{:.3g} GB/s",
              c.samples.size(), c.machine.model, name(c.isa), c.threads, 100.0 * all.median,
              100.0 * all.p90, c.compute_ceiling.value / 1e9, c.memory_ceiling.value / 1e9)};
  for (const std::string& text : warnings(c))
    out.blocks.emplace_back(Note{NoteKind::warning, text});
  out.blocks.emplace_back(family_table(c));
  out.blocks.emplace_back(parity_plot(c));
  out.blocks.emplace_back(Details{"All samples", {sample_table(c)}});
  out.blocks.emplace_back(Paragraph{
      "time = fixed + (compute^p + memory^p)^(1/p) with p the blend; compute = FLOPs over a share "
      "of "
      "the ceiling, memory = bytes over a share of the read bandwidth. Pointwise kernels stream up "
      "to "
      "L2 at the rate in cache, the rest at the share of memory. `left out`: each sample predicted "
      "from the others; `small to large`: the larger half from the smaller. The band covers the "
      "worse "
      "of the two."});
  return out;
}

}  // namespace fathom::calib
