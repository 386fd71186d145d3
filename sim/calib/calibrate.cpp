#include "calib/calibrate.hpp"

#include <cmath>
#include <map>
#include <utility>

#include "calib/train.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

namespace fathom::calib {
namespace {

constexpr double kMoved = 0.02;

struct Job {
  const Dataset* dataset = nullptr;
  std::size_t calibration = 0;
  std::string group;
  std::vector<Sample> samples;
};

std::vector<CalibratedParameter> parameters_of(const forms::Form& form, const Fit& fit) {
  std::vector<CalibratedParameter> out;
  const auto ranges = form.ranges(fit.group);
  FATHOM_EXPECT(ranges.size() == fit.values.size(), "a value for every parameter");
  for (std::size_t j = 0; j < ranges.size(); ++j) {
    const double value = fit.values[j];
    out.push_back({std::string(ranges[j].name), value, ranges[j].start,
                   std::abs(std::log(value / ranges[j].start)) > kMoved});
  }
  return out;
}

SubFit sub_fit(const Job& job, const FitOptions& options, std::size_t ratio_shapes) {
  const forms::Form& form = forms::form_of(job.dataset->family);
  const Trained trained = train(form, job.group, job.samples, options);
  SubFit out{.group = job.group,
             .parameters = parameters_of(form, trained.fit),
             .rows = std::ssize(trained.rows)};
  std::vector<double> predicted;
  std::vector<double> measured;
  for (std::size_t i = 0; i < trained.rows.size(); ++i) {
    measured.push_back(trained.rows[i]->latency_s);
    predicted.push_back(measured.back() * std::exp(-trained.log_ratios[i]));
  }
  out.in_sample = score(predicted, measured);
  if (ratio_shapes > 0) out.ratios = fit_ratios(trained.rows, trained.log_ratios, ratio_shapes);
  for (const Measurement* row : trained.spikes) {
    out.flagged.push_back({row->line, "isolated spike"});
  }
  for (const Measurement& row : job.dataset->rows) {
    if (row.group == job.group && !row.flag.empty()) out.flagged.push_back({row.line, row.flag});
  }
  return out;
}

void add_cross_validation(const DatasetReport& report, DatasetCalibration& calibration) {
  std::vector<Residual> residuals;
  for (const Predicted& p : report.rows) {
    const double seconds = p.seconds.at(static_cast<std::size_t>(Fidelity::fitted));
    residuals.push_back({p.row->group, seconds, std::log(p.row->latency_s / seconds)});
    calibration.left_out.push_back(
        {p.row->latency_s, p.seconds.at(static_cast<std::size_t>(Fidelity::measured))});
  }
  const BandTable bands{residuals};
  for (SubFit& sub : calibration.groups) {
    for (const GroupScore& g : report.groups) {
      if (g.group != sub.group) continue;
      sub.fitted = g.scores.at(static_cast<std::size_t>(Fidelity::fitted));
      sub.measured = g.scores.at(static_cast<std::size_t>(Fidelity::measured));
    }
    const auto found = bands.groups().find(sub.group);
    if (found != bands.groups().end()) sub.band = found->second;
  }
}

}  // namespace

std::vector<DatasetCalibration> calibrate(const Corpus& corpus, const ValidationOptions& options,
                                          std::size_t ratio_shapes) {
  std::vector<DatasetCalibration> out;
  std::vector<Job> jobs;
  for (const Dataset& dataset : corpus.datasets) {
    std::map<std::string, std::vector<Sample>> groups;
    const forms::DeviceFigures& device = corpus.devices.find(dataset.device)->second;
    for (const Measurement& row : dataset.rows) {
      if (row.flag.empty()) groups[row.group].push_back({&row, &device});
    }
    for (auto& [group, samples] : groups) {
      jobs.push_back({&dataset, out.size(), group, std::move(samples)});
    }
    out.push_back({dataset.family, dataset.device, dataset.stack, dataset.file, {}, {}});
  }
  auto fits = parallel_map(std::ssize(jobs), options.threads, [&](std::int64_t i) {
    return sub_fit(jobs[static_cast<std::size_t>(i)], options.fit, ratio_shapes);
  });
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    out[jobs[j].calibration].groups.push_back(std::move(fits[j]));
  }
  for (const DatasetReport& report : cross_validate(corpus, options)) {
    const auto index = static_cast<std::size_t>(report.dataset - corpus.datasets.data());
    add_cross_validation(report, out[index]);
  }
  return out;
}

}  // namespace fathom::calib
