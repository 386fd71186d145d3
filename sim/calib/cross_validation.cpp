#include "calib/cross_validation.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <utility>

#include "calib/bands.hpp"
#include "calib/folds.hpp"
#include "calib/smooth.hpp"
#include "calib/train.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

namespace fathom::calib {
namespace {

// One sub-fit of one fold: what it learns from and which rows of a report it predicts.
struct Job {
  const forms::Form* form = nullptr;
  const forms::DeviceFigures* device = nullptr;
  std::string group;
  std::vector<Sample> training;
  std::size_t report = 0;
  std::vector<std::size_t> targets;  // indices into the report's rows
  std::vector<const Measurement*> spikes;
};

const forms::DeviceFigures& device_of(const Corpus& corpus, const Dataset& dataset) {
  const auto found = corpus.devices.find(dataset.device);
  FATHOM_EXPECT(found != corpus.devices.end(), "a data sheet for every dataset");
  return found->second;
}

void predict_targets(Job& job, std::vector<DatasetReport>& reports, const FitOptions& options) {
  Trained trained = train(*job.form, job.group, job.training, options);
  const RatioSmoother smoother{trained.rows, trained.log_ratios,
                               choose_smoothing(trained.rows, trained.log_ratios)};
  for (const std::size_t i : job.targets) {
    Predicted& p = reports[job.report].rows[i];
    const double fitted = predict(*job.form, trained.fit, *p.row, *job.device);
    p.seconds = {p.row->roof_s, fitted, fitted * std::exp(smoother.log_ratio(*p.row))};
  }
  job.spikes = std::move(trained.spikes);
}

// The longest first, so that no thread is left alone with one at the end; results do not depend on
// the order.
void run_all(std::vector<Job>& jobs, std::vector<DatasetReport>& reports,
             const ValidationOptions& options) {
  std::ranges::stable_sort(jobs, std::greater<>{}, [](const Job& j) { return j.training.size(); });
  std::atomic<std::size_t> done{0};
  parallel_for(std::ssize(jobs), options.threads, [&](std::int64_t i) {
    predict_targets(jobs[static_cast<std::size_t>(i)], reports, options.fit);
    if (options.progress) {
      options.progress(static_cast<double>(++done) / static_cast<double>(jobs.size()));
    }
  });
  std::vector<std::set<std::int64_t>> lines(reports.size());
  for (const Job& job : jobs) {
    for (const Measurement* row : job.spikes) lines[job.report].insert(row->line);
  }
  for (std::size_t r = 0; r < reports.size(); ++r) reports[r].spikes = std::ssize(lines[r]);
}

std::vector<double> measured_seconds(const std::vector<const Predicted*>& rows) {
  std::vector<double> out;
  for (const Predicted* p : rows) out.push_back(p->row->latency_s);
  return out;
}

std::array<Score, kFidelities> scores_of(const std::vector<const Predicted*>& rows) {
  const std::vector<double> measured = measured_seconds(rows);
  std::array<Score, kFidelities> out;
  for (std::size_t f = 0; f < kFidelities; ++f) {
    std::vector<double> predicted;
    for (const Predicted* p : rows) predicted.push_back(p->seconds.at(f));
    out.at(f) = score(predicted, measured);
  }
  return out;
}

double band_coverage(const DatasetReport& report, std::size_t fidelity) {
  std::vector<Residual> residuals;
  std::vector<int> folds;
  for (const Predicted& p : report.rows) {
    const double seconds = p.seconds.at(fidelity);
    residuals.push_back({p.row->group, seconds, std::log(p.row->latency_s / seconds)});
    folds.push_back(p.fold);
  }
  return coverage(residuals, folds);
}

void summarize(DatasetReport& report) {
  std::map<std::string, std::vector<const Predicted*>, std::less<>> groups;
  std::vector<const Predicted*> all;
  for (const Predicted& p : report.rows) {
    groups[p.row->group].push_back(&p);
    all.push_back(&p);
  }
  report.scores = scores_of(all);
  for (const auto& [group, rows] : groups) report.groups.push_back({group, scores_of(rows)});
  for (std::size_t f = 0; f < kFidelities; ++f) report.coverage.at(f) = band_coverage(report, f);
}

DatasetReport empty_report(const Dataset& dataset) {
  DatasetReport report{.dataset = &dataset};
  for (const Measurement& row : dataset.rows) {
    if (row.flag.empty()) {
      report.rows.push_back({.row = &row});
    } else {
      ++report.flagged;
    }
  }
  return report;
}

// What one fit predicts: the rows of one fold, or all of a sub-fit.
enum class Targets { by_fold, together };

// Rows by (sub-fit, fold); the fold is 0 when they stay together.
std::map<std::pair<std::string, int>, std::vector<std::size_t>> targets_of(
    const DatasetReport& report, Targets targets_are) {
  std::map<std::pair<std::string, int>, std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const Predicted& p = report.rows[i];
    out[{p.row->group, targets_are == Targets::by_fold ? p.fold : 0}].push_back(i);
  }
  return out;
}

// Predicts every row of the corpus; `training(report, group, fold)` are the rows to learn from.
template <class Training>
std::vector<DatasetReport> predict(const Corpus& corpus, const ValidationOptions& options,
                                   Targets targets_are, const Training& training) {
  std::vector<DatasetReport> reports;
  std::vector<Job> jobs;
  for (const auto& [family, datasets] : by_family(corpus.datasets)) {
    const SliceFolds folds = slice_folds(datasets, options.folds);
    for (const Dataset* dataset : datasets) {
      DatasetReport report = empty_report(*dataset);
      for (Predicted& p : report.rows) p.fold = folds.at(p.row->slice);
      for (auto& [key, targets] : targets_of(report, targets_are)) {
        Job job{.form = &forms::form_of(family),
                .device = &device_of(corpus, *dataset),
                .group = key.first,
                .report = reports.size(),
                .targets = std::move(targets)};
        for (const Measurement* row : training(report, key.first, key.second)) {
          job.training.push_back({row, job.device});
        }
        jobs.push_back(std::move(job));
      }
      reports.push_back(std::move(report));
    }
  }
  run_all(jobs, reports, options);
  for (DatasetReport& report : reports) summarize(report);
  return reports;
}

}  // namespace

std::string_view name(Fidelity fidelity) {
  constexpr std::array<std::string_view, kFidelities> names{"roofline", "fitted", "measured"};
  return names.at(static_cast<std::size_t>(fidelity));
}

std::vector<DatasetReport> cross_validate(const Corpus& corpus, const ValidationOptions& options) {
  const auto others = [](const DatasetReport& report, const std::string& group, int fold) {
    std::vector<const Measurement*> rows;
    for (const Predicted& p : report.rows) {
      if (p.fold != fold && p.row->group == group) rows.push_back(p.row);
    }
    return rows;
  };
  return predict(corpus, options, Targets::by_fold, others);
}

std::vector<DatasetReport> validate_against(const Corpus& training, const Corpus& corpus,
                                            const ValidationOptions& options) {
  const auto elsewhere = [&](const DatasetReport& report, const std::string& group, int) {
    std::vector<const Measurement*> rows;
    for (const Dataset& other : training.datasets) {
      const Dataset& dataset = *report.dataset;
      if (other.family != dataset.family || other.device != dataset.device) continue;
      for (const Measurement& row : other.rows) {
        if (row.flag.empty() && row.group == group) rows.push_back(&row);
      }
    }
    return rows;
  };
  return predict(corpus, options, Targets::together, elsewhere);
}

Score family_score(const std::vector<DatasetReport>& reports, std::string_view family,
                   Fidelity fidelity) {
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const DatasetReport& report : reports) {
    if (report.dataset->family != family) continue;
    for (const Predicted& p : report.rows) {
      predicted.push_back(p.seconds.at(static_cast<std::size_t>(fidelity)));
      measured.push_back(p.row->latency_s);
    }
  }
  return score(predicted, measured);
}

Overall overall(const std::vector<DatasetReport>& reports, Fidelity fidelity) {
  Overall out;
  std::vector<double> medians;
  std::vector<double> p90s;
  std::set<std::string> families;
  for (const DatasetReport& report : reports) {
    if (report.rows.empty()) continue;
    medians.push_back(report.at(fidelity).median);
    p90s.push_back(report.at(fidelity).p90);
    families.insert(report.dataset->family);
  }
  out.pairs = std::ssize(medians);
  out.median = quantile(medians, 0.5);
  out.p90 = quantile(p90s, 0.5);
  for (const std::string& family : families) {
    const Score s = family_score(reports, family, fidelity);
    // whichever is nearer to its limit of 9 % / 30 %
    if (std::max(s.median / 0.09, s.p90 / 0.30) >
        std::max(out.worst_median / 0.09, out.worst_p90 / 0.30)) {
      out.worst_family = family;
      out.worst_median = s.median;
      out.worst_p90 = s.p90;
    }
  }
  return out;
}

}  // namespace fathom::calib
