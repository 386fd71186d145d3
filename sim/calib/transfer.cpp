#include "calib/transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "calib/folds.hpp"
#include "calib/train.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

namespace fathom::calib {
namespace {

constexpr std::size_t kAnchors = 12;

struct Pairs {
  std::vector<double> predicted;
  std::vector<double> measured;
  void add(double p, double m) {
    predicted.push_back(p);
    measured.push_back(m);
  }
  void add(const Pairs& other) {
    predicted.insert(predicted.end(), other.predicted.begin(), other.predicted.end());
    measured.insert(measured.end(), other.measured.begin(), other.measured.end());
  }
  Score score() const { return calib::score(predicted, measured); }
};

using Rows = std::map<std::string, std::vector<const Measurement*>, std::less<>>;

Rows rows_by(const Dataset& dataset, std::string Measurement::*key) {
  Rows out;
  for (const Measurement& row : dataset.rows) {
    if (row.flag.empty()) out[row.*key].push_back(&row);
  }
  return out;
}

const Dataset* find(const std::vector<const Dataset*>& datasets, std::string_view device) {
  for (const Dataset* dataset : datasets) {
    if (dataset->device == device) return dataset;
  }
  return nullptr;
}

// The numbers a table has of a row, as one key: the same shape on two devices.
std::string shape_key(const Measurement& row) {
  return fmt::format("{}|{}|{}", row.slice, fmt::join(row.exact, ","), fmt::join(row.axes, ","));
}

struct Transfer {
  Pairs fitted;
  Pairs scaled;
};

// A sub-fit pooled over the sources. It is named by one of their groups: dtype and kernel, which
// the form reads, are the same in all of them.
Transfer transfer_group(const Corpus& corpus, const std::vector<const Dataset*>& sources,
                        const Dataset& target, std::string_view key, const FitOptions& options) {
  const forms::Form& form = forms::form_of(target.family);
  std::vector<Sample> samples;
  std::map<std::string, const Measurement*> twins;
  for (const Dataset* source : sources) {
    const forms::DeviceFigures& device = corpus.devices.find(source->device)->second;
    for (const Measurement& row : source->rows) {
      if (!row.flag.empty() || row.transfer_group != key) continue;
      samples.push_back({&row, &device});
      if (source == sources.back()) twins.emplace(shape_key(row), &row);
    }
  }
  Transfer out;
  if (samples.empty()) return out;
  const Trained trained = train(form, samples.front().row->group, samples, options);
  const forms::DeviceFigures& here = corpus.devices.find(target.device)->second;
  const forms::DeviceFigures& there = corpus.devices.find(sources.back()->device)->second;
  for (const Measurement& row : target.rows) {
    if (!row.flag.empty() || row.transfer_group != key) continue;
    const double fitted = predict(form, trained.fit, row, here);
    out.fitted.add(fitted, row.latency_s);
    const auto twin = twins.find(shape_key(row));
    if (twin == twins.end()) continue;
    const double source = predict(form, trained.fit, *twin->second, there);
    out.scaled.add(twin->second->latency_s * fitted / source, row.latency_s);
  }
  return out;
}

struct TransferJob {
  std::size_t score = 0;
  std::vector<const Dataset*> sources;
  const Dataset* target = nullptr;
  std::string key;
};

// The largest rows first kept apart: indices of the anchors among `large`, which is sorted by size.
std::vector<const Measurement*> anchors_of(const std::vector<const Measurement*>& large) {
  const std::size_t top = large.size() / 2;
  const std::size_t count = large.size() - top;
  std::vector<const Measurement*> out;
  if (count < kAnchors) return out;
  for (std::size_t i = 0; i < kAnchors; ++i) {
    out.push_back(large[top + i * (count - 1) / (kAnchors - 1)]);
  }
  return out;
}

struct Extrapolation {
  Pairs bare;
  Pairs anchored;
};

Extrapolation extrapolate_group(const forms::Form& form, const forms::DeviceFigures& device,
                                std::vector<const Measurement*> rows, const FitOptions& options) {
  std::ranges::stable_sort(rows, {}, &Measurement::size);
  const double middle = rows[(rows.size() - 1) / 2]->size;
  const auto split = std::ranges::upper_bound(rows, middle, {}, &Measurement::size);
  const std::vector<const Measurement*> large(split, rows.end());
  std::vector<Sample> small;
  for (auto it = rows.begin(); it != split; ++it) small.push_back({*it, &device});
  Extrapolation out;
  if (small.empty() || large.empty()) return out;
  const std::string& group = rows.front()->group;
  const Trained bare = train(form, group, small, options);
  for (const Measurement* row : large) {
    out.bare.add(predict(form, bare.fit, *row, device), row->latency_s);
  }
  const std::vector<const Measurement*> anchors = anchors_of(large);
  if (anchors.empty()) return out;
  // Anchors weigh a quarter of the rows, after what of them a fit would take.
  const auto kept = std::min(small.size(), static_cast<std::size_t>(options.max_rows));
  std::vector<Sample> mixed;
  for (const std::size_t i : sample_indices(small.size(), kept, options.seed)) {
    mixed.push_back(small[i]);
  }
  for (std::size_t copy = 0; copy < std::max<std::size_t>(1, kept / (3 * kAnchors)); ++copy) {
    for (const Measurement* row : anchors) mixed.push_back({row, &device});
  }
  FitOptions all = options;
  all.max_rows = std::ssize(mixed);
  const Fit anchored = fit(form, group, mixed, all);
  for (const Measurement* row : large) {
    if (std::ranges::find(anchors, row) == anchors.end()) {
      out.anchored.add(predict(form, anchored, *row, device), row->latency_s);
    }
  }
  return out;
}

template <class Job, class Body>
auto run_jobs(const std::vector<Job>& jobs, const ValidationOptions& options, const Body& body) {
  std::atomic<std::size_t> done{0};
  return parallel_map(std::ssize(jobs), options.threads, [&](std::int64_t i) {
    auto result = body(jobs[static_cast<std::size_t>(i)]);
    if (options.progress) {
      options.progress(static_cast<double>(++done) / static_cast<double>(jobs.size()));
    }
    return result;
  });
}

}  // namespace

std::vector<TransferRoute> default_routes() {
  return {{{"h100-sxm"}, "h200"}, {{"h100-sxm", "h200"}, "b200"}, {{"h800"}, "h20"}};
}

std::vector<TransferScore> transfer_scores(const Corpus& corpus,
                                           const std::vector<TransferRoute>& routes,
                                           const ValidationOptions& options) {
  std::vector<TransferScore> scores;
  std::vector<TransferJob> jobs;
  for (const auto& [family, datasets] : by_family(corpus.datasets)) {
    for (const TransferRoute& route : routes) {
      const Dataset* target = find(datasets, route.to);
      std::vector<const Dataset*> sources;
      for (const std::string& device : route.from) {
        if (const Dataset* source = find(datasets, device)) sources.push_back(source);
      }
      if (target == nullptr || sources.size() != route.from.size()) continue;
      for (const auto& [key, rows] : rows_by(*target, &Measurement::transfer_group)) {
        jobs.push_back({scores.size(), sources, target, key});
      }
      scores.push_back({family, fmt::format("{}", fmt::join(route.from, " + ")), route.to});
    }
  }
  const auto parts = run_jobs(jobs, options, [&](const TransferJob& job) {
    return transfer_group(corpus, job.sources, *job.target, job.key, options.fit);
  });
  for (std::size_t s = 0; s < scores.size(); ++s) {
    Transfer all;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      if (jobs[j].score != s) continue;
      all.fitted.add(parts[j].fitted);
      all.scaled.add(parts[j].scaled);
    }
    scores[s].fitted = all.fitted.score();
    scores[s].scaled = all.scaled.score();
  }
  return scores;
}

std::vector<ExtrapolationScore> extrapolation_scores(const Corpus& corpus,
                                                     const ValidationOptions& options) {
  struct Job {
    const Dataset* dataset;
    std::vector<const Measurement*> rows;
  };
  std::vector<Job> jobs;
  for (const Dataset& dataset : corpus.datasets) {
    for (auto& [group, rows] : rows_by(dataset, &Measurement::group)) {
      jobs.push_back({&dataset, rows});
    }
  }
  const auto parts = run_jobs(jobs, options, [&](const Job& job) {
    return extrapolate_group(forms::form_of(job.dataset->family),
                             corpus.devices.find(job.dataset->device)->second, job.rows,
                             options.fit);
  });
  std::vector<ExtrapolationScore> scores;
  for (const Dataset& dataset : corpus.datasets) {
    Extrapolation all;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      if (jobs[j].dataset != &dataset) continue;
      all.bare.add(parts[j].bare);
      all.anchored.add(parts[j].anchored);
    }
    scores.push_back({dataset.family, dataset.device, all.bare.score(), all.anchored.score()});
  }
  return scores;
}

}  // namespace fathom::calib
