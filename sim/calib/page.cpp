#include "calib/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/si_format.hpp"
#include "lang/say.hpp"

namespace fathom::calib {
namespace {

using lang::say;
using nlohmann::json;
using namespace report;

constexpr std::size_t kMostPoints = 1500;  // drawn in a parity plot

std::string percent(double share) { return format_significant(100.0 * share, 2) + " %"; }

Column share_column(std::string header) {
  return number_column(std::move(header), "", NumberFormat::percent);
}

std::string finding(const MeasuredReport& r) {
  std::string out;
  for (const Fidelity f : r.shown) {
    const Overall all = overall(r.datasets, f);
    const std::string one =
        say("{}: median {}, p90 {}", name(f), percent(all.median), percent(all.p90));
    out = out.empty() ? one : say("{}; {}", out, one);
  }
  const std::size_t pairs = r.datasets.size();
  if (r.training.empty()) {
    return say("Predicted leave-slice-out over {} tables of a family on a device. {}", pairs, out);
  }
  return say("Predicted over {} tables of a family on a device, fitted on {}. {}", pairs,
             r.training, out);
}

Table dataset_table(const MeasuredReport& r) {
  Table table{.title = "Errors by family and device, |predicted / measured - 1|",
              .columns = {text_column("family"), text_column("device"),
                          number_column("rows", "", NumberFormat::exact)}};
  for (const Fidelity f : r.shown) {
    const std::string which{name(f)};
    table.columns.push_back(share_column(say("{} median", which)));
    table.columns.push_back(share_column("p90"));
    table.columns.push_back(number_column("worst", "x"));
    table.columns.push_back(share_column("bias"));
  }
  table.columns.push_back(share_column("in 90 % band"));
  table.columns.push_back(number_column("flagged", "", NumberFormat::exact));
  table.columns.push_back(number_column("spikes", "", NumberFormat::exact));
  for (const DatasetReport& d : r.datasets) {
    std::vector<Cell> row{d.dataset->family, d.dataset->device, d.rows.size()};
    for (const Fidelity f : r.shown) {
      const Score& s = d.at(f);
      row.insert(row.end(), {s.median, s.p90, s.worst, s.bias});
    }
    row.emplace_back(d.coverage.at(static_cast<std::size_t>(r.shown.back())));
    row.emplace_back(d.flagged);
    row.emplace_back(d.spikes);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table overall_table(const MeasuredReport& r) {
  Table table{.title = "Overall: medians over the pairs of a family and a device",
              .columns = {text_column("fidelity"), share_column("median"), share_column("p90"),
                          share_column("target median"), share_column("target p90"),
                          text_column("worst family"), share_column("its median"),
                          share_column("its p90")}};
  for (const Fidelity f : r.shown) {
    const Overall all = overall(r.datasets, f);
    const Targets& target = r.targets.at(static_cast<std::size_t>(f));
    const bool any = target.median > 0.0;
    table.rows.push_back({name(f), all.median, all.p90, any ? Cell{target.median} : Cell{"-"},
                          any ? Cell{target.p90} : Cell{"-"}, all.worst_family, all.worst_median,
                          all.worst_p90});
  }
  return table;
}

Table transfer_table(const MeasuredReport& r) {
  Table table{.title = "Another device by its data sheet alone",
              .columns = {text_column("family"), text_column("from"), text_column("to"),
                          share_column("form median"), share_column("p90"), share_column("bias"),
                          share_column("measured x form ratio, median"), share_column("p90"),
                          number_column("rows", "", NumberFormat::exact)}};
  for (const TransferScore& t : r.transfers) {
    table.rows.push_back({t.family, t.from, t.to, t.fitted.median, t.fitted.p90, t.fitted.bias,
                          t.scaled.median, t.scaled.p90, t.fitted.rows});
  }
  return table;
}

Table extrapolation_table(const MeasuredReport& r) {
  Table table{
      .title = "Fitted on the smaller half of the rows, asked about the larger",
      .columns = {text_column("family"), text_column("device"), share_column("bare median"),
                  share_column("p90"), share_column("bias"), share_column("12 anchors, median"),
                  share_column("p90"), number_column("rows", "", NumberFormat::exact)}};
  for (const ExtrapolationScore& e : r.extrapolations) {
    table.rows.push_back({e.family, e.device, e.bare.median, e.bare.p90, e.bare.bias,
                          e.anchored.median, e.anchored.p90, e.bare.rows});
  }
  return table;
}

// Evenly thinned: a parity plot of 200,000 points is a blot.
Plot parity_plot(const MeasuredReport& r, Fidelity fidelity) {
  const Overall all = overall(r.datasets, fidelity);
  Plot plot{.title = say("Predicted against measured time, {}: median error {}", name(fidelity),
                         percent(all.median)),
            .x = {.label = "measured", .unit = "us", .scale = AxisScale::log},
            .y = {.label = "predicted", .unit = "us", .scale = AxisScale::log},
            .references = {{.kind = ReferenceKind::diagonal, .value = 1.0, .label = "equal"}}};
  std::map<std::string, std::vector<const Predicted*>> devices;
  std::size_t total = 0;
  for (const DatasetReport& d : r.datasets) {
    for (const Predicted& p : d.rows) devices[d.dataset->device].push_back(&p);
    total += d.rows.size();
  }
  const std::size_t stride = std::max<std::size_t>(1, total / kMostPoints);
  for (const auto& [device, rows] : devices) {
    Series series{.name = device, .kind = SeriesKind::points};
    for (std::size_t i = 0; i < rows.size(); i += stride) {
      series.xs.push_back(1e6 * rows[i]->row->latency_s);
      series.ys.push_back(1e6 * rows[i]->seconds.at(static_cast<std::size_t>(fidelity)));
    }
    plot.series.push_back(std::move(series));
  }
  if (stride > 1) plot.note = say("One row in {} is drawn.", stride);
  return plot;
}

std::vector<std::string> families_of(const MeasuredReport& r) {
  std::vector<std::string> out;
  for (const DatasetReport& d : r.datasets) {
    if (out.empty() || out.back() != d.dataset->family) out.push_back(d.dataset->family);
  }
  return out;
}

Plot family_plot(const MeasuredReport& r) {
  Plot plot{.title = "Median error by family, all devices together",
            .x = {.label = "family", .categories = families_of(r)},
            .y = {.label = "median error", .unit = "%"}};
  plot.y.min = 0.0;
  for (const Fidelity f : r.shown) {
    if (f == Fidelity::roofline && r.shown.size() > 1) continue;  // it would dwarf the others
    Series series{.name = std::string(name(f)), .kind = SeriesKind::bars};
    for (std::size_t i = 0; i < plot.x.categories.size(); ++i) {
      series.xs.push_back(static_cast<double>(i));
      series.ys.push_back(100.0 * family_score(r.datasets, plot.x.categories[i], f).median);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

// "file:line: why" of every row that was neither fitted nor scored.
std::vector<std::string> flagged_rows(const Dataset& dataset) {
  std::vector<std::string> out;
  for (const Measurement& row : dataset.rows) {
    if (!row.flag.empty())
      out.push_back(fmt::format("{}:{}: {}", dataset.file, row.line, row.flag));
  }
  return out;
}

std::string not_scored_note(const MeasuredReport& r) {
  std::vector<std::string> rows;
  for (const DatasetReport& d : r.datasets) {
    for (std::string& row : flagged_rows(*d.dataset)) rows.push_back(std::move(row));
  }
  return flagged_note(rows, rows.size());
}

json scores_json(const std::array<Score, kFidelities>& scores, const MeasuredReport& r) {
  json out = json::object();
  for (const Fidelity f : r.shown) {
    out[std::string(name(f))] = to_json(scores.at(static_cast<std::size_t>(f)));
  }
  return out;
}

json to_json(const DatasetReport& d, const MeasuredReport& r) {
  json groups = json::object();
  for (const GroupScore& g : d.groups) groups[g.group] = scores_json(g.scores, r);
  json coverage = json::object();
  for (const Fidelity f : r.shown) {
    coverage[std::string(name(f))] = d.coverage.at(static_cast<std::size_t>(f));
  }
  return {{"family", d.dataset->family},
          {"device", d.dataset->device},
          {"stack", d.dataset->stack},
          {"file", d.dataset->file},
          {"rows", d.rows.size()},
          {"flagged", d.flagged},
          {"flagged_rows", flagged_rows(*d.dataset)},
          {"spikes", d.spikes},
          {"scores", scores_json(d.scores, r)},
          {"band_coverage", coverage},
          {"groups", groups}};
}

}  // namespace

std::vector<Fidelity> missed(const MeasuredReport& r) {
  std::vector<Fidelity> out;
  for (const Fidelity f : r.shown) {
    const Targets& target = r.targets.at(static_cast<std::size_t>(f));
    if (target.median <= 0.0) continue;
    const Overall all = overall(r.datasets, f);
    if (all.median > target.median || all.p90 > target.p90) out.push_back(f);
  }
  return out;
}

std::vector<FamilyMiss> missed_families(const MeasuredReport& r) {
  std::vector<FamilyMiss> out;
  if (r.family_targets.median <= 0.0) return out;
  for (const std::string& family : families_of(r)) {
    for (const Fidelity f : r.shown) {
      if (f == Fidelity::roofline) continue;
      const Score s = family_score(r.datasets, family, f);
      if (s.median > r.family_targets.median || s.p90 > r.family_targets.p90)
        out.push_back({family, f, s});
    }
  }
  return out;
}

Document page(const MeasuredReport& r) {
  Document document{.title = "Kernel times: predicted against measured", .finding = finding(r)};
  document.blocks.emplace_back(overall_table(r));
  document.blocks.emplace_back(dataset_table(r));
  document.blocks.emplace_back(family_plot(r));
  for (const Fidelity f : r.shown) document.blocks.emplace_back(parity_plot(r, f));
  if (!r.transfers.empty()) document.blocks.emplace_back(transfer_table(r));
  if (!r.extrapolations.empty()) document.blocks.emplace_back(extrapolation_table(r));
  document.blocks.emplace_back(Note{
      NoteKind::info,
      "`fitted` is the physical form with the parameters of its device, kernel and dtype; "
      "`measured` is that form times the smoothed ratio of measured to fitted time of "
      "neighbouring rows, fading to the bare form far from all of them; `roofline` has default "
      "shares and no launch cost. Whole slices are left out, the same ones on every device. Rows "
      "flagged by the importer are neither fitted nor scored; isolated spikes are scored but not "
      "fitted."});
  std::vector<std::string> notes{skipped_note(r.skipped), not_scored_note(r)};
  for (const FamilyMiss& miss : missed_families(r)) {
    notes.push_back(say("{} is outside its limits of {} (median) and {} (p90), {}: {}, {}",
                        miss.family, percent(r.family_targets.median),
                        percent(r.family_targets.p90), name(miss.fidelity),
                        percent(miss.score.median), percent(miss.score.p90)));
  }
  for (const std::string& note : notes) {
    if (!note.empty()) document.blocks.emplace_back(Note{NoteKind::warning, note});
  }
  return document;
}

json to_json(const MeasuredReport& r) {
  json datasets = json::array();
  for (const DatasetReport& d : r.datasets) datasets.push_back(to_json(d, r));
  json all = json::object();
  for (const Fidelity f : r.shown) {
    const Overall o = overall(r.datasets, f);
    const Targets& target = r.targets.at(static_cast<std::size_t>(f));
    all[std::string(name(f))] = {{"pairs", o.pairs},
                                 {"median", o.median},
                                 {"p90", o.p90},
                                 {"worst_family", o.worst_family},
                                 {"worst_family_median", o.worst_median},
                                 {"worst_family_p90", o.worst_p90}};
    if (target.median > 0.0) {
      all[std::string(name(f))]["target"] = {{"median", target.median}, {"p90", target.p90}};
    }
  }
  json families = json::object();
  for (const std::string& family : families_of(r)) {
    std::array<Score, kFidelities> scores;
    for (const Fidelity f : r.shown) {
      scores.at(static_cast<std::size_t>(f)) = family_score(r.datasets, family, f);
    }
    families[family] = scores_json(scores, r);
  }
  json transfers = json::array();
  for (const TransferScore& t : r.transfers) {
    transfers.push_back({{"family", t.family},
                         {"from", t.from},
                         {"to", t.to},
                         {"fitted", calib::to_json(t.fitted)},
                         {"measured_times_form_ratio", calib::to_json(t.scaled)}});
  }
  json extrapolations = json::array();
  for (const ExtrapolationScore& e : r.extrapolations) {
    extrapolations.push_back({{"family", e.family},
                              {"device", e.device},
                              {"bare", calib::to_json(e.bare)},
                              {"anchored", calib::to_json(e.anchored)}});
  }
  json out{{"source", r.source},   {"overall", all},        {"families", families},
           {"datasets", datasets}, {"transfer", transfers}, {"small_to_large", extrapolations},
           {"skipped", r.skipped}};
  for (const FamilyMiss& miss : missed_families(r)) {
    out["families_outside"].push_back({{"family", miss.family},
                                       {"fidelity", name(miss.fidelity)},
                                       {"score", calib::to_json(miss.score)}});
  }
  if (!r.training.empty()) out["fitted_on"] = r.training;
  return out;
}

}  // namespace fathom::calib
