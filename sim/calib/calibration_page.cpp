#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "calib/efficiency_file.hpp"
#include "calib/page.hpp"
#include "lang/say.hpp"
#include "report/builders/error_bars.hpp"

namespace fathom::calib {
namespace {

using lang::say;
using nlohmann::json;
using namespace report;

json parameters_json(const SubFit& g) {
  json out = json::object();
  for (const CalibratedParameter& p : g.parameters) out[p.name] = p.value;
  return out;
}

json start_json(const SubFit& g) {
  json out = json::object();
  for (const CalibratedParameter& p : g.parameters) out[p.name] = p.start;
  return out;
}

json unmoved_json(const SubFit& g) {
  json out = json::array();
  for (const CalibratedParameter& p : g.parameters) {
    if (!p.moved) out.push_back(p.name);
  }
  return out;
}

// ln(measured / fitted) out of sample, by third of the fitted time.
json band_json(const SubFit& g) {
  json bands = json::array();
  for (const Band& b : g.band.bands) bands.push_back({b.low, b.high});
  return {{"edges_s", g.band.edges_s}, {"log_low_high", bands}};
}

json to_json(const SubFit& g, const DatasetCalibration& d) {
  json flagged = json::array();
  for (const FlaggedRow& row : g.flagged) flagged.push_back({{"line", row.line}, {"why", row.why}});
  return {{"stack", d.stack},
          {"file", d.file},
          {"parameters", parameters_json(g)},
          {"start", start_json(g)},
          {"unmoved", unmoved_json(g)},
          {"rows", g.rows},
          {"in_sample", to_json(g.in_sample)},
          {"leave_slice_out", to_json(g.fitted)},
          {"leave_slice_out_measured", to_json(g.measured)},
          {"band_90", band_json(g)},
          {"flagged", std::move(flagged)}};
}

std::string listed_note(std::string_view what, const std::vector<std::string>& lines,
                        std::size_t count) {
  constexpr std::size_t kShown = 5;
  if (count == 0) return {};
  const std::vector<std::string> first(
      lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, lines.size())));
  return count > first.size()
             ? say("{} {}: {}; … (all of them in the JSON)", count, what, fmt::join(first, "; "))
             : say("{} {}: {}", count, what, fmt::join(first, "; "));
}

// "file:line: why" of every row that was not fitted.
std::vector<std::string> flagged_rows(const CalibrationReport& report) {
  std::vector<std::string> out;
  for (const DatasetCalibration& d : report.calibrations) {
    for (const SubFit& g : d.groups) {
      for (const FlaggedRow& row : g.flagged)
        out.push_back(fmt::format("{}:{}: {}", d.file, row.line, row.why));
    }
  }
  return out;
}

constexpr std::size_t kMostPoints = 1500;  // more are a blot

// A series per device, evenly thinned.
Plot parity_plot(const CalibrationReport& report) {
  Plot plot{.title = "Predicted against measured time of slices left out, with ratios",
            .x = {.label = "measured", .unit = "us", .scale = AxisScale::log},
            .y = {.label = "predicted", .unit = "us", .scale = AxisScale::log},
            .references = {{.kind = ReferenceKind::diagonal, .value = 1.0, .label = "equal"}}};
  std::map<std::string, std::vector<LeftOutRow>> devices;
  std::size_t total = 0;
  for (const DatasetCalibration& d : report.calibrations) {
    auto& rows = devices[d.device];
    rows.insert(rows.end(), d.left_out.begin(), d.left_out.end());
    total += d.left_out.size();
  }
  const std::size_t stride = std::max<std::size_t>(1, total / kMostPoints);
  for (const auto& [device, rows] : devices) {
    Series series{.name = device, .kind = SeriesKind::points};
    for (std::size_t i = 0; i < rows.size(); i += stride) {
      series.xs.push_back(1e6 * rows[i].measured_s);
      series.ys.push_back(1e6 * rows[i].predicted_s);
    }
    if (!series.xs.empty()) plot.series.push_back(std::move(series));
  }
  if (stride > 1) plot.note = say("One row in {} is drawn.", stride);
  return plot;
}

}  // namespace

std::string skipped_note(const std::vector<std::string>& skipped) {
  return listed_note("tables were skipped", skipped, skipped.size());
}

std::string flagged_note(const std::vector<std::string>& rows, std::size_t count) {
  return listed_note("rows were flagged and not fitted", rows, count);
}

json to_json(const CalibrationReport& report) {
  json devices = json::object();
  for (const DatasetCalibration& d : report.calibrations) {
    json& groups = devices[d.device]["forms"][d.family];
    for (const SubFit& g : d.groups) {
      // The same kernel and dtype on a second stack or in a second file keeps its own entry.
      const std::string key =
          groups.contains(g.group) ? fmt::format("{} ({}, {})", g.group, d.stack, d.file) : g.group;
      groups[key] = to_json(g, d);
    }
  }
  return {{"schema", "calibration/1"},
          {"source", report.source},
          {"devices", std::move(devices)},
          {"skipped", report.skipped},
          {"not_asked_for", unasked(report.calibrations)}};
}

Document page(const CalibrationReport& report) {
  std::size_t count = 0;
  std::int64_t rows = 0;
  std::size_t flagged = 0;
  std::vector<ErrorRow> errors;
  Table table{
      .title = "Sub-fits: errors in sample and leave-slice-out",
      .columns = {text_column("family"), text_column("device"), text_column("kernel, dtype"),
                  number_column("rows", "", NumberFormat::exact),
                  number_column("in sample, median", "", NumberFormat::percent),
                  number_column("p90", "", NumberFormat::percent),
                  number_column("left out, median", "", NumberFormat::percent),
                  number_column("p90", "", NumberFormat::percent),
                  number_column("with ratios, median", "", NumberFormat::percent),
                  number_column("p90", "", NumberFormat::percent),
                  number_column("parameters", "", NumberFormat::exact),
                  number_column("moved", "", NumberFormat::exact),
                  number_column("flagged", "", NumberFormat::exact)}};
  for (const DatasetCalibration& d : report.calibrations) {
    for (const SubFit& g : d.groups) {
      ++count;
      rows += g.rows;
      flagged += g.flagged.size();
      const bool ratio = g.measured.rows > 0 && g.measured.median < g.fitted.median;
      const Score& used = ratio ? g.measured : g.fitted;
      errors.push_back(
          {fmt::format("{} · {} · {}", d.family, d.device, g.group), used.median, used.p90});
      table.rows.push_back({d.family, d.device, g.group, g.rows, g.in_sample.median,
                            g.in_sample.p90, g.fitted.median, g.fitted.p90, g.measured.median,
                            g.measured.p90, g.parameters.size(),
                            g.parameters.size() - unmoved_json(g).size(), g.flagged.size()});
    }
  }
  Document document{.title = say("Calibration from {}", report.source),
                    .finding = say("{} sub-fits on {} rows; {} rows flagged and not fitted", count,
                                   rows, flagged)};
  if (!errors.empty())
    document.blocks.emplace_back(
        error_bars("Errors of the sub-fits on slices left out", "sub-fit", std::move(errors)));
  if (Plot parity = parity_plot(report); !parity.series.empty())
    document.blocks.emplace_back(std::move(parity));
  document.blocks.emplace_back(std::move(table));
  document.blocks.emplace_back(
      Note{NoteKind::info,
           "Parameters that did not move by more than 2 % stay at their start value: the data do "
           "not speak about them. Start values, error bands and flagged rows are in the file."});
  const std::vector<std::string> refused = flagged_rows(report);
  for (const std::string& note :
       {skipped_note(report.skipped), flagged_note(refused, refused.size())}) {
    if (!note.empty()) document.blocks.emplace_back(Note{NoteKind::warning, note});
  }
  return document;
}

}  // namespace fathom::calib
