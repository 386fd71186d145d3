#include "calib/local_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "calib/least_squares.hpp"
#include "timing/roofline.hpp"

namespace fathom::calib {
namespace {

using hw::Efficiency;
using hw::Family;

constexpr std::size_t kLeastSamples = 3;
// A parameter that the samples do not move stays at its start: a factor e away from it costs as
// much as this on every sample.
constexpr double kRidge = 0.02;
// Residuals beyond what two readings of one kernel differ by count linearly.
constexpr double kLossScale = 0.05;
// Nothing is known better than this, however quiet the readings were: the same kernel, measured
// some minutes apart on a shared machine, differs by 4 to 6 %.
constexpr double kLeastSigma = 0.05;

// The parameters of an entry in the order of the search, as logarithms.
struct Parameter {
  double start, low, high;
  void (*set)(Efficiency&, double);
};

constexpr Parameter kCompute{0.7, 0.01, 1.05, [](Efficiency& e, double v) { e.compute = v; }};
constexpr Parameter kMemory{0.8, 0.02, 1.3, [](Efficiency& e, double v) { e.memory = v; }};
constexpr Parameter kOverhead{2e-6, 2e-8, 1e-3,
                              [](Efficiency& e, double v) { e.overhead = Seconds{v}; }};
// Arithmetic and memory overlap fully (a maximum) or not at all (a sum).
constexpr Parameter kBlend{3.0, 1.0, 16.0, [](Efficiency& e, double v) { e.blend = v; }};
constexpr Parameter kCacheRate{40e9, 1e8, 1e13,
                               [](Efficiency& e, double v) { e.cache_rate = BytesPerSecond{v}; }};

std::vector<Parameter> parameters_of(Family family) {
  if (hw::is_arithmetic(family)) return {kCompute, kMemory, kOverhead, kBlend, kCacheRate};
  return {kMemory, kOverhead, kCacheRate};
}

// A sample with the cluster of its rounds, so that a prediction is a table look-up and a roofline.
struct Case {
  const LocalSample* sample = nullptr;
  hw::Cluster cluster;
  double work = 0.0;  // size, for small to large
};

void set_entry(hw::Cluster& cluster, Family family, const Efficiency& entry) {
  cluster.efficiency.table[static_cast<std::size_t>(family)].fill(entry);
}

Efficiency entry_at(const Efficiency& base, const std::vector<Parameter>& parameters,
                    std::span<const double> theta) {
  Efficiency out = base;
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].set(out, std::exp(theta[i]));
  return out;
}

double log_ratio(Case& one, Family family, const Efficiency& entry) {
  set_entry(one.cluster, family, entry);
  return std::log(time_of(one.sample->ops, one.cluster) / one.sample->time);
}

Efficiency fit_family(std::span<Case*> cases, Family family, const Efficiency& base) {
  const std::vector<Parameter> parameters = parameters_of(family);
  Box box;
  std::vector<double> start;
  for (const Parameter& p : parameters) {
    box.low.push_back(std::log(p.low));
    box.high.push_back(std::log(p.high));
    start.push_back(std::log(p.start));
  }
  const double ridge = kRidge * std::sqrt(static_cast<double>(cases.size()));
  const auto residuals = [&](std::span<const double> theta, std::span<double> out) {
    const Efficiency entry = entry_at(base, parameters, theta);
    for (std::size_t i = 0; i < cases.size(); ++i) out[i] = log_ratio(*cases[i], family, entry);
    for (std::size_t i = 0; i < theta.size(); ++i)
      out[cases.size() + i] = ridge * (theta[i] - start[i]);
  };
  const Solution solution = minimize(residuals, cases.size() + parameters.size(), box, start,
                                     {.loss_scale = kLossScale, .max_iterations = 200});
  Efficiency out = entry_at(base, parameters, solution.theta);
  out.evidence = hw::Evidence::measured;
  return out;
}

Score score_of(const std::vector<double>& log_ratios) {
  std::vector<double> predicted;
  for (const double r : log_ratios) predicted.push_back(std::exp(r));
  return score(predicted, std::vector<double>(predicted.size(), 1.0));
}

std::vector<double> leave_one_out(std::vector<Case>& cases, Family family, const Efficiency& base) {
  std::vector<double> out;
  for (std::size_t left = 0; left < cases.size(); ++left) {
    std::vector<Case*> rest;
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (i != left) rest.push_back(&cases[i]);
    out.push_back(log_ratio(cases[left], family, fit_family(rest, family, base)));
  }
  return out;
}

std::vector<double> small_to_large(std::vector<Case>& cases, Family family,
                                   const Efficiency& base) {
  std::vector<Case*> sorted;
  for (Case& one : cases) sorted.push_back(&one);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Case* a, const Case* b) { return a->work < b->work; });
  const std::size_t half = (sorted.size() + 1) / 2;
  if (half < kLeastSamples) return {};
  const Efficiency fitted = fit_family(std::span{sorted}.first(half), family, base);
  std::vector<double> out;
  for (Case* one : std::span{sorted}.subspan(half)) out.push_back(log_ratio(*one, family, fitted));
  return out;
}

// Eight in ten of normal errors lie within 1.2816 sigma.
double sigma_of(const std::vector<double>& log_ratios) {
  constexpr double kEightInTen = 1.2816;
  std::vector<double> sizes;
  for (const double r : log_ratios) sizes.push_back(std::abs(r));
  return quantile(sizes, 0.8) / kEightInTen;
}

std::vector<Case> cases_of(std::span<const LocalSample> samples, Family family,
                           const hw::Cluster& cluster) {
  std::vector<Case> out;
  for (const LocalSample& s : samples) {
    if (s.family != family) continue;
    double work = 0.0;
    for (const ops::Op& op : s.ops)
      work += ops::cost(op).flops.value + ops::traffic(ops::cost(op)).value;
    out.push_back({&s, as_measured(cluster, s.compute_ceiling, s.memory_ceiling), work});
  }
  return out;
}

LocalEntry fit_entry(std::vector<Case>& cases, Family family, Efficiency base) {
  if (!hw::is_arithmetic(family)) base.cache = cases.front().cluster.device.l2;
  LocalEntry out{.family = family, .samples = static_cast<std::int64_t>(cases.size())};
  std::vector<Case*> all;
  for (Case& one : cases) all.push_back(&one);
  out.efficiency = fit_family(all, family, base);
  std::vector<double> own;
  for (Case& one : cases) own.push_back(log_ratio(one, family, out.efficiency));
  out.in_sample = score_of(own);
  out.residuals = leave_one_out(cases, family, base);
  out.leave_one_out = score_of(out.residuals);
  const std::vector<double> larger = small_to_large(cases, family, base);
  out.small_to_large = score_of(larger);
  // The smaller half may lack a regime that all samples together have, and then says too much.
  const double left_out = sigma_of(out.residuals);
  out.efficiency.log_sigma =
      std::max({kLeastSigma, left_out, std::min(sigma_of(larger), 2.0 * left_out)});
  return out;
}

// Pointwise families first: routed experts contain activations and permutes.
constexpr std::array kOrder{Family::norm,
                            Family::cast,
                            Family::copy,
                            Family::activation,
                            Family::misc,
                            Family::embedding,
                            Family::permute,
                            Family::gemm,
                            Family::batched_gemm,
                            Family::grouped_gemm,
                            Family::grouped_gemm_decode,
                            Family::attention_prefill,
                            Family::attention_decode,
                            Family::mla_prefill,
                            Family::mla_decode,
                            Family::sparse_attention,
                            Family::indexer,
                            Family::linear_attention};

// Moves what a kernel without samples of its own shares with one that has them.
void borrow(hw::Cluster& cluster, const std::vector<LocalEntry>& fitted, Family to, Family from) {
  const auto has = [&](Family family) {
    return std::any_of(fitted.begin(), fitted.end(),
                       [&](const LocalEntry& e) { return e.family == family; });
  };
  if (has(to) || !has(from)) return;
  Efficiency entry = cluster.efficiency.lookup(from, Math::bf16);
  entry.evidence = hw::Evidence::assumed;
  set_entry(cluster, to, entry);
}

}  // namespace

Seconds time_of(std::span<const ops::Op> ops, const hw::Cluster& cluster) {
  Seconds sum;
  for (const ops::Op& op : ops) sum += timing::time_of(op, cluster, {}).total;
  return sum;
}

hw::Cluster as_measured(hw::Cluster cluster, FlopsPerSecond compute, BytesPerSecond memory) {
  // Every arithmetic runs on the same units here: fp32 sums of bf16 products.
  for (FlopsPerSecond& peak : cluster.device.peak)
    if (peak.value > 0.0) peak = compute;
  cluster.device.memory_bandwidth = memory;
  return cluster;
}

std::vector<LocalEntry> fit_local(std::span<const LocalSample> samples, hw::Cluster& cluster) {
  std::vector<LocalEntry> out;
  for (const Family family : kOrder) {
    if (family == Family::permute) borrow(cluster, out, Family::permute, Family::copy);
    std::vector<Case> cases = cases_of(samples, family, cluster);
    if (cases.size() < kLeastSamples) continue;
    const Efficiency base = cluster.efficiency.lookup(family, Math::bf16);
    out.push_back(fit_entry(cases, family, base));
    set_entry(cluster, family, out.back().efficiency);
  }
  borrow(cluster, out, Family::sparse_attention, Family::mla_decode);
  return out;
}

}  // namespace fathom::calib
