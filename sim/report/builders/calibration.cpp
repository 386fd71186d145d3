#include "report/builders/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"
#include "report/builders/error_bars.hpp"

namespace fathom::report {
namespace {

using hw::Cluster;
using hw::Efficiency;
using hw::FittedForm;
using lang::say;

struct Fit {
  std::string_view use;
  const FittedForm* form;
};

std::vector<Fit> fits_of(const Cluster& cluster) {
  std::vector<Fit> out;
  for (std::size_t i = 0; i < hw::kFormUseCount; ++i) {
    const auto use = static_cast<hw::FormUse>(i);
    const FittedForm* form = cluster.efficiency.fitted(use);
    if (form != nullptr) out.push_back({name(use), form});
  }
  return out;
}

// What an estimate leans on: the smoothed ratio where it errs less than its bare form.
bool takes_ratio(const FittedForm& form) {
  return form.ratios.size() > 0 && form.ratios.median_error < form.median_error;
}
double error_used(const FittedForm& form) {
  return takes_ratio(form) ? form.ratios.median_error : form.median_error;
}

std::int64_t samples_of(const std::vector<Fit>& fits) {
  std::int64_t sum = 0;
  for (const Fit& fit : fits) sum += fit.form->samples;
  return sum;
}

std::string summary(const Cluster& cluster) {
  const std::vector<Fit> fits = fits_of(cluster);
  if (fits.empty()) {
    return say("{} has no fitted forms: shares of its peaks alone", cluster.id);
  }
  const auto own = std::ranges::count_if(
      fits, [](const Fit& fit) { return fit.form->transfer == hw::Transfer::none; });
  if (own == 0) {
    return say("{} borrows {} fitted forms from another device", cluster.id, fits.size());
  }
  std::vector<double> errors;
  for (const Fit& fit : fits) {
    if (fit.form->transfer == hw::Transfer::none) errors.push_back(error_used(*fit.form));
  }
  std::ranges::sort(errors);
  return say(
      "{} rests on {} forms fitted to {} of its own shapes, median error {} on "
      "shapes left out",
      cluster.id, own, format_count(samples_of(fits)), format_percent(errors[errors.size() / 2]));
}

std::string transfer_text(hw::Transfer transfer) {
  if (transfer == hw::Transfer::none) return "own";
  return transfer == hw::Transfer::same_generation ? "same generation" : "other generation";
}

Table form_table(const Cluster& cluster) {
  Table table{.title = say("Fitted forms of {}", cluster.id),
              .columns = {text_column("use"), text_column("group"), text_column("evidence"),
                          text_column("device"), number_column("shapes", "", NumberFormat::count),
                          number_column("median error", "", NumberFormat::percent),
                          number_column("p90", "", NumberFormat::percent),
                          number_column("ratio shapes", "", NumberFormat::count),
                          number_column("with ratio, median", "", NumberFormat::percent),
                          number_column("with ratio, p90", "", NumberFormat::percent)}};
  for (const Fit& fit : fits_of(cluster)) {
    const FittedForm& f = *fit.form;
    std::vector<Cell> cells{fit.use,   f.group,        name(f.evidence), transfer_text(f.transfer),
                            f.samples, f.median_error, f.p90_error};
    if (f.ratios.size() > 0) {
      cells.emplace_back(f.ratios.size());
      cells.emplace_back(f.ratios.median_error);
      cells.emplace_back(f.ratios.p90_error);
    } else {
      cells.insert(cells.end(), 3, missing_cell());
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

LanePlot error_plot(const Cluster& cluster) {
  std::vector<ErrorRow> rows;
  for (const Fit& fit : fits_of(cluster)) {
    const FittedForm& form = *fit.form;
    const bool ratio = takes_ratio(form);
    rows.push_back(
        {std::string(fit.use), error_used(form), ratio ? form.ratios.p90_error : form.p90_error});
  }
  LanePlot plot =
      error_bars(say("Errors of the fits of {} on shapes left out", cluster.id), "use", rows);
  plot.note = "As used: the form times the measured ratio where that errs less.";
  return plot;
}

std::vector<Cell> entry_cells(std::string_view family, std::string arithmetic,
                              const Efficiency& e) {
  std::vector<Cell> cells{family, std::move(arithmetic), e.compute, e.memory};
  cells.push_back(e.near < 1.0 ? Cell{e.near} : missing_cell());
  cells.emplace_back(1e6 * e.overhead.value);
  cells.push_back(e.log_sigma > 0.0 ? Cell{e.log_sigma} : missing_cell());
  cells.emplace_back(name(e.evidence));
  cells.emplace_back(transfer_text(e.transfer));
  return cells;
}

// One row per family; arithmetics that share an entry share its row.
Table share_table(const Cluster& cluster) {
  Table table{
      .title = say("Shares of the peaks of {}, where no form is fitted", cluster.id),
      .columns = {text_column("family"), text_column("arithmetic"), number_column("compute"),
                  number_column("memory or scale-out"), number_column("scale-up"),
                  number_column("fixed", "µs"), number_column("σ of ln time"),
                  text_column("evidence"), text_column("device")}};
  for (std::size_t f = 0; f < hw::kFamilyCount; ++f) {
    const auto family = static_cast<hw::Family>(f);
    std::vector<std::pair<const Efficiency*, std::string>> entries;
    for (std::size_t m = 0; m < kMathCount; ++m) {
      const Efficiency& entry = cluster.efficiency.lookup(family, static_cast<Math>(m));
      const auto same =
          std::ranges::find_if(entries, [&](const auto& e) { return *e.first == entry; });
      const std::string math(name(static_cast<Math>(m)));
      if (same == entries.end()) {
        entries.emplace_back(&entry, math);
      } else {
        same->second += ", " + math;
      }
    }
    for (auto& [entry, arithmetic] : entries) {
      table.rows.push_back(
          entry_cells(name(family), entries.size() == 1 ? "any" : arithmetic, *entry));
    }
  }
  return table;
}

}  // namespace

Document calibration_document(const std::vector<Cluster>& clusters) {
  Document document{.title = "What the time model rests on"};
  study::Basis basis;
  for (const Cluster& cluster : clusters) {
    document.finding = document.finding.empty() ? summary(cluster)
                                                : say("{}; {}", document.finding, summary(cluster));
    add_cluster(basis, cluster);
    for (const std::string& source : cluster.efficiency.sources) add_source(basis, source);
  }
  document.finding = say("{}.", document.finding);
  for (const Cluster& cluster : clusters) {
    document.blocks.push_back(Heading{.text = cluster.id});
    if (!fits_of(cluster).empty()) {
      document.blocks.push_back(error_plot(cluster));
      document.blocks.push_back(form_table(cluster));
    }
    document.blocks.push_back(share_table(cluster));
  }
  add_note(basis,
           "Errors are |ln(predicted / measured)| on slices of shapes that were left out of the "
           "fit. A transferred entry counts as assumed, whatever it rests on elsewhere.");
  document.metadata.inputs = inputs_of(basis);
  add_basis(document.blocks, basis);
  return document;
}

}  // namespace fathom::report
