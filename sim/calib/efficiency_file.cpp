#include "calib/efficiency_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "hw/cluster.hpp"

namespace fathom::calib {
namespace {

using nlohmann::json;

constexpr const char* kSource = "calibration";

struct Chosen {
  const DatasetCalibration* dataset = nullptr;
  const SubFit* fit = nullptr;
};

// One fit per family and group: of several stacks or files the one with the most rows.
std::map<std::pair<std::string, std::string>, Chosen> chosen(
    const std::vector<DatasetCalibration>& calibrations) {
  std::map<std::pair<std::string, std::string>, Chosen> out;
  for (const DatasetCalibration& d : calibrations) {
    for (const SubFit& g : d.groups) {
      if (g.rows == 0 || !hw::use_of(d.family, g.group)) continue;
      Chosen& now = out[{d.family, g.group}];
      if (now.fit == nullptr || g.rows > now.fit->rows) now = {&d, &g};
    }
  }
  return out;
}

// Six decimals of a weight are far below what a ratio is known to.
double rounded(double value) { return std::round(value * 1e6) / 1e6; }

json ratios_json(const RatioFit& ratios, const forms::Form& form) {
  json scales = json::object();
  for (std::size_t c = 0; c < form.columns.size(); ++c) {
    scales[std::string(form.columns[c])] = ratios.scales[c];
  }
  json weights = json::array();
  for (const double w : ratios.weights) weights.push_back(rounded(w));
  return {{"scales", std::move(scales)},
          {"shapes", ratios.shapes},
          {"weights", std::move(weights)},
          {"median_error", std::min(ratios.left_out.median, 10.0)},
          {"p90_error", std::min(ratios.left_out.p90, 10.0)}};
}

json form_json(const Chosen& c, const hw::EfficiencySet& own) {
  const forms::Form& form = forms::form_of(c.dataset->family);
  json params = json::object();
  for (const CalibratedParameter& p : c.fit->parameters) params[p.name] = p.value;
  // A single slice cannot be left out: then the rows that were fitted have to do.
  const Score& errors = c.fit->fitted.rows > 0 ? c.fit->fitted : c.fit->in_sample;
  json out{{"params", std::move(params)},
           {"median_error", std::min(errors.median, 10.0)},
           {"p90_error", std::min(errors.p90, 10.0)},
           {"samples", c.fit->rows},
           {"basis", "measured"},
           {"src", {kSource}},
           {"note", fmt::format("{}; errors {}", c.dataset->stack,
                                c.fit->fitted.rows > 0 ? "leave-slice-out" : "in sample")}};
  if (!c.fit->ratios.weights.empty()) out["ratios"] = ratios_json(c.fit->ratios, form);
  const hw::FittedForm* before = own.fitted(*hw::use_of(c.dataset->family, c.fit->group));
  if (before != nullptr && forms::all_forms()[before->form].family == form.family) {
    out["sustained_clock"] = before->sustained_clock;
    out["launch_gap_us"] = before->launch_gap.value * 1e6;
  }
  return out;
}

}  // namespace

void check_one_device(const Corpus& corpus) {
  std::set<std::string> devices;
  for (const Dataset& d : corpus.datasets) devices.insert(d.device);
  if (devices.size() == 1) return;
  throw InputError(fmt::format(
      "command line: --write-efficiency is for one device; found {}; name one with --device",
      fmt::join(devices, ", ")));
}

json efficiency_file(const std::vector<DatasetCalibration>& calibrations,
                     const EfficiencyFileRequest& request) {
  FATHOM_EXPECT(!calibrations.empty(), "a device to calibrate");
  const hw::Cluster cluster = hw::load_cluster(calibrations.front().device);
  json forms = json::object();
  for (const auto& [key, fit] : chosen(calibrations)) {
    forms[key.first][key.second] = form_json(fit, cluster.efficiency);
  }
  const json src{kSource};
  return {{"schema", "hweff-default/1"},
          {"name", request.name},
          {"note", fmt::format("{} with forms fitted to {}", cluster.id, request.source)},
          {"sources",
           {{kSource,
             {{"cite", request.source}, {"where", "measured kernel tables, fathom calibrate"}}}}},
          {"transfer",
           {{"from", cluster.efficiency.name},
            {"communication_latency_scale", 1.0},
            {"same_device", true},
            {"with_forms", true},
            {"basis", "measured"},
            {"src", src}}},
          {"entries", json::array()},
          {"forms", std::move(forms)}};
}

std::vector<std::string> unasked(const std::vector<DatasetCalibration>& calibrations) {
  std::map<std::string, std::vector<std::string>> found;
  for (const DatasetCalibration& d : calibrations) {
    for (const SubFit& g : d.groups) {
      if (!hw::use_of(d.family, g.group)) found[d.family].push_back(g.group);
    }
  }
  std::vector<std::string> out;
  for (auto& [family, groups] : found) {
    std::ranges::sort(groups);
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    out.push_back(fmt::format("{} ({})", family, fmt::join(groups, ", ")));
  }
  return out;
}

}  // namespace fathom::calib
