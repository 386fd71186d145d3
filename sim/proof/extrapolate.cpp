#include "proof/extrapolate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "measure/run.hpp"
#include "timing/roofline.hpp"

namespace fathom::proof {
namespace {

using calib::LocalCalibration;
using calib::LocalSample;

constexpr double kEightInTen = 1.2816;
// The same work differs by some percent between two minutes of a shared machine, whatever the
// curve.
constexpr double kMomentSigma = 0.03;
// A family that was not measured here has an assumed entry: off by as much as efficiencies are that
// come from another generation of devices (validate/interval.cpp, GEMM: 30 %).
constexpr double kAssumedSigma = 0.3;

measure::Measurement micro_run(const ProofOptions& options, std::stop_token stop) {
  measure::RunOptions run{.suite = measure::Suite::micro,
                          .isa = options.isa,
                          .threads = options.threads,
                          .seed = options.seed};
  run.ceilings = false;
  run.baselines = false;
  run.paired.seconds = options.calibrate_seconds;
  if (options.progress)
    run.progress = [&](double share, const std::string& next) {
      options.progress(0.25 * share, next);
    };
  return measure::run(run, stop);
}

struct Fitted {
  hw::Cluster cluster;
  std::int64_t samples = 0;
};

// The calibration without what the target may not be predicted from.
Fitted fitted_for(const LocalCalibration& calibration, const ops::OpCost& target) {
  const std::vector<LocalSample> samples = allowed(calibration.samples, target);
  const auto count = static_cast<std::int64_t>(samples.size());
  if (samples.size() == calibration.samples.size()) return {calibration.cluster, count};
  // From the start: a family that is left with too few must not keep what the others said.
  Fitted out{calibration.start, count};
  calib::fit_local(samples, out.cluster);
  return out;
}

bool has_samples(const LocalCalibration& calibration, const ops::OpCost& target,
                 hw::Family family) {
  const std::vector<LocalSample> samples = allowed(calibration.samples, target);
  return std::count_if(samples.begin(), samples.end(),
                       [&](const LocalSample& s) { return s.family == family; }) >= 3;
}

Comparison compared(const Target& target, const Fitted& fitted, const measure::CaseResult& r) {
  const hw::Cluster now =
      calib::as_measured(fitted.cluster, FlopsPerSecond{r.compute_ceiling.median},
                         BytesPerSecond{r.memory_ceiling.median});
  const Prediction prediction = predict(target.kernel.ops, now);
  return {.id = r.id,
          .part = target.part,
          .predicted_s = prediction.seconds,
          .p10_s = prediction.p10,
          .p90_s = prediction.p90,
          .predicted_then_s = predict(target.kernel.ops, fitted.cluster).seconds,
          .measured_s = r.time_s.median,
          .spread = r.time_s.mad / r.time_s.median,
          .compute_ceiling = r.compute_ceiling.median,
          .memory_ceiling = r.memory_ceiling.median,
          .rounds = r.time_s.count,
          .samples = fitted.samples};
}

bool wanted(const std::string& id, const std::vector<std::string>& only) {
  return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& text) {
           return id.find(text) != std::string::npos;
         });
}

}  // namespace

std::vector<LocalSample> allowed(const std::vector<LocalSample>& samples,
                                 const ops::OpCost& target) {
  std::vector<LocalSample> out;
  for (const LocalSample& s : samples) {
    ops::OpCost cost;
    for (const ops::Op& op : s.ops) cost += ops::cost(op);
    const bool fewer_flops = target.flops.value > 0.0 && kTimesSmaller * cost.flops <= target.flops;
    const bool fewer_bytes = kTimesSmaller * ops::traffic(cost) <= ops::traffic(target);
    if (s.time.value <= kLongestSample && (fewer_flops || fewer_bytes)) out.push_back(s);
  }
  return out;
}

Prediction predict(const std::vector<ops::Op>& ops, const hw::Cluster& cluster) {
  std::array<double, hw::kFamilyCount> by_family{};
  Prediction out;
  for (const ops::Op& op : ops) {
    const timing::OpTime time = timing::time_of(op, cluster, {});
    by_family[static_cast<std::size_t>(time.family)] += time.total.value;
    out.seconds += time.total.value;
  }
  double variance = kMomentSigma * kMomentSigma;
  for (std::size_t f = 0; f < hw::kFamilyCount; ++f) {
    const double fitted =
        cluster.efficiency.lookup(static_cast<hw::Family>(f), Math::bf16).log_sigma;
    const double sigma = fitted > 0.0 ? fitted : kAssumedSigma;
    const double share = by_family[f] / out.seconds;
    variance += sigma * sigma * share * share;
  }
  const double half = kEightInTen * std::sqrt(variance);
  out.p10 = out.seconds * std::exp(-half);
  out.p90 = out.seconds * std::exp(half);
  return out;
}

Proof prove(const ProofOptions& options, std::stop_token stop) {
  const measure::Measurement micro = micro_run(options, stop);
  Proof out{.calibration = calib::calibrate_local(micro.results, micro.machine)};
  out.calibration.complete = micro.complete;
  const auto memory = static_cast<std::int64_t>(options.memory_share *
                                                static_cast<double>(micro.machine.available_bytes));
  std::vector<Target> all = targets({.quick = options.quick, .memory_bytes = memory});
  std::erase_if(all, [&](const Target& t) { return !wanted(t.kernel.id, options.only); });
  if (all.empty()) throw InputError{"--only: no target has this text in its name"};

  kernels::cpu::ThreadPool pool{options.threads};
  const measure::Bench bench{options.isa, pool, options.seed};
  measure::CeilingProbe probe{options.isa, pool, measure::dram_buffer_bytes(micro.machine)};
  for (std::size_t i = 0; i < all.size() && !stop.stop_requested(); ++i) {
    Target& target = all[i];
    const double done = static_cast<double>(i) / static_cast<double>(all.size());
    if (options.progress) options.progress(0.25 + 0.75 * done, target.kernel.id);
    if (measure::memory_needed(target.kernel) > static_cast<double>(2 * memory)) {
      out.skipped.push_back(
          fmt::format("{}: {}", target.kernel.id, "more than the memory at hand"));
      continue;
    }
    const ops::OpCost cost = measure::cost(target.kernel);
    if (target.part == Part::kernel && !has_samples(out.calibration, cost, target.kernel.family)) {
      out.skipped.push_back(
          fmt::format("{}: {}", target.kernel.id, "fewer than three small enough samples"));
      continue;
    }
    const Fitted fitted = fitted_for(out.calibration, cost);  // predicted before it runs
    target.kernel.baselines = nullptr;
    const measure::CaseResult result = measure::measure_case(
        target.kernel, bench, probe, {.seconds = options.target_seconds}, stop);
    if (result.time_s.count == 0) {
      out.skipped.push_back(fmt::format("{}: {}", target.kernel.id, "no round was quiet enough"));
      continue;
    }
    out.comparisons.push_back(compared(target, fitted, result));
  }
  out.complete = !stop.stop_requested();
  return out;
}

std::vector<PartSummary> summaries(const Proof& proof) {
  std::vector<PartSummary> out;
  for (const Part part : {Part::kernel, Part::layer, Part::model}) {
    PartSummary s{.part = part};
    std::vector<double> errors;
    for (const Comparison& c : proof.comparisons) {
      if (c.part != part) continue;
      errors.push_back(std::abs(c.error()));
      s.inside += c.inside() ? 1.0 : 0.0;
    }
    if (errors.empty()) continue;
    s.count = static_cast<std::int64_t>(errors.size());
    s.median = calib::quantile(errors, 0.5);
    s.p90 = calib::quantile(errors, 0.9);
    s.worst = *std::max_element(errors.begin(), errors.end());
    s.inside /= static_cast<double>(s.count);
    out.push_back(s);
  }
  return out;
}

nlohmann::json to_json(const Proof& proof) {
  using nlohmann::json;
  json rows = json::array();
  for (const Comparison& c : proof.comparisons)
    rows.push_back({{"id", c.id},
                    {"part", name(c.part)},
                    {"predicted_s", c.predicted_s},
                    {"p10_s", c.p10_s},
                    {"p90_s", c.p90_s},
                    {"predicted_with_calibration_ceilings_s", c.predicted_then_s},
                    {"measured_s", c.measured_s},
                    {"spread", c.spread},
                    {"compute_ceiling_flops_s", c.compute_ceiling},
                    {"memory_ceiling_b_s", c.memory_ceiling},
                    {"rounds", c.rounds},
                    {"samples", c.samples},
                    {"error", c.error()},
                    {"inside", c.inside()}});
  json parts = json::array();
  for (const PartSummary& s : summaries(proof))
    parts.push_back({{"part", name(s.part)},
                     {"count", s.count},
                     {"median_error", s.median},
                     {"p90_error", s.p90},
                     {"worst_error", s.worst},
                     {"inside", s.inside}});
  return {{"schema", "extrapolation-proof/1"},
          {"complete", proof.complete},
          {"summary", parts},
          {"comparisons", rows},
          {"skipped", proof.skipped},
          {"calibration", calib::profile_json(proof.calibration)}};
}

}  // namespace fathom::proof
