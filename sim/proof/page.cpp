#include <fmt/format.h>

#include "calib/local_page.hpp"
#include "lang/say.hpp"
#include "proof/extrapolate.hpp"

namespace fathom::proof {
namespace {

using lang::say;
using namespace report;

Table summary_table(const Proof& proof) {
  Table table{.title = "Predicted from small shapes, then executed",
              .columns = {text_column("part"), number_column("targets", "", NumberFormat::exact),
                          number_column("median error", "", NumberFormat::percent),
                          number_column("p90", "", NumberFormat::percent),
                          number_column("worst", "", NumberFormat::percent),
                          number_column("inside the 80 % interval", "", NumberFormat::percent)}};
  for (const PartSummary& s : summaries(proof))
    table.rows.push_back({name(s.part), s.count, s.median, s.p90, s.worst, s.inside});
  return table;
}

Table comparison_table(const Proof& proof, Part part) {
  Table table{
      .title = say("Every {}", name(part)),
      .columns = {text_column("target"), number_column("predicted", "s", NumberFormat::seconds),
                  text_column("p10 to p90, ms"),
                  number_column("measured", "s", NumberFormat::seconds),
                  number_column("error", "", NumberFormat::percent), text_column("inside"),
                  number_column("spread", "", NumberFormat::percent),
                  number_column("rounds", "", NumberFormat::exact),
                  number_column("samples", "", NumberFormat::exact),
                  number_column("error, old ceilings", "", NumberFormat::percent)}};
  for (const Comparison& c : proof.comparisons) {
    if (c.part != part) continue;
    table.rows.push_back({c.id, c.predicted_s,
                          fmt::format("{:.4g}–{:.4g}", 1e3 * c.p10_s, 1e3 * c.p90_s), c.measured_s,
                          c.error(), c.inside() ? "yes" : "no", c.spread, c.rounds, c.samples,
                          c.predicted_then_s / c.measured_s - 1.0});
  }
  return table;
}

Plot parity_plot(const Proof& proof) {
  Plot plot{.title = "Predicted from small shapes against executed",
            .x = {.label = "measured", .unit = "s", .scale = AxisScale::log},
            .y = {.label = "predicted", .unit = "s", .scale = AxisScale::log}};
  for (const Part part : {Part::kernel, Part::layer, Part::model}) {
    Series series{.name = std::string{name(part)}, .kind = SeriesKind::points};
    for (const Comparison& c : proof.comparisons) {
      if (c.part != part) continue;
      series.xs.push_back(c.measured_s);
      series.ys.push_back(c.predicted_s);
    }
    if (!series.xs.empty()) plot.series.push_back(std::move(series));
  }
  plot.references.push_back({.kind = ReferenceKind::diagonal, .value = 1.0, .label = "equal"});
  return plot;
}

// "kernel: why", as the proof keeps it.
std::string skipped_text(const std::string& skipped) {
  const std::size_t colon = skipped.rfind(": ");
  if (colon == std::string::npos) return say("skipped {}", skipped);
  return say("skipped {}: {}", skipped.substr(0, colon), skipped.substr(colon + 2));
}

std::string finding(const Proof& proof) {
  std::string parts;
  for (const PartSummary& s : summaries(proof)) {
    const std::string part =
        say("{} {}s {:.1f} % off in the median ({:.1f} % p90, {:.0f} % inside the 80 % interval)",
            s.count, name(s.part), 100.0 * s.median, 100.0 * s.p90, 100.0 * s.inside);
    parts = parts.empty() ? part : say("{}; {}", parts, part);
  }
  if (parts.empty())
    return say("Predicted from kernels of at most 5 ms and an eighth of the work.");
  return say("Predicted from kernels of at most 5 ms and an eighth of the work: {}.", parts);
}

}  // namespace

Document page(const Proof& proof) {
  Document out{.title = "Extrapolation, proven by running it", .finding = finding(proof)};
  const calib::LocalCalibration& c = proof.calibration;
  out.blocks.emplace_back(
      Paragraph{say("{}, kernels for {}, threads: {}; {} micro-shapes.", c.machine.model,
                    name(c.isa), c.threads, c.samples.size())});
  if (!proof.complete)
    out.blocks.emplace_back(Note{NoteKind::warning, "interrupted: targets are missing"});
  for (const std::string& text : calib::warnings(c))
    out.blocks.emplace_back(Note{NoteKind::warning, text});
  for (const std::string& text : proof.skipped)
    out.blocks.emplace_back(Note{NoteKind::warning, skipped_text(text)});
  out.blocks.emplace_back(summary_table(proof));
  out.blocks.emplace_back(parity_plot(proof));
  for (const Part part : {Part::kernel, Part::layer, Part::model}) {
    Table table = comparison_table(proof, part);
    if (!table.rows.empty()) out.blocks.emplace_back(std::move(table));
  }
  out.blocks.emplace_back(Paragraph{
      "Each target's prediction uses only samples of at most 5 ms and at least eight times fewer "
      "FLOPs or bytes. What the machine gives (product and read ceilings) is measured in the "
      "rounds "
      "of the target, by bursts that know nothing of it; `old ceilings` uses those of the "
      "calibration. Layers and models are predicted as the sum of the operators that the estimator "
      "lists for them."});
  Document details = calib::local_page(c);
  out.blocks.emplace_back(Details{"The calibration behind it", std::move(details.blocks)});
  return out;
}

}  // namespace fathom::proof
