#include "study/plan_size.hpp"

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>

namespace fathom::study {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// More instances than the largest cluster that a request may ask for has devices.
constexpr std::int64_t kMostInstances = 1 << 20;
constexpr double kRounding = 1.0 + 1e-9;  // rates that just meet a target meet it

// ceil() that forgives the rounding of a quotient which is whole by construction.
std::int64_t instances_for(double load, double capacity) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(load / capacity * (1.0 - 1e-12))));
}

// The rate r at which an aggregated instance holds `requests` in the system:
// r (t + a / (1 - r w)) = requests, where a = L + OSL tpot. The smaller root, without cancellation.
double rate_of_concurrency(double requests, Seconds step, Seconds work, double w) {
  const double b = work.value + step.value + requests * w;
  return 2.0 * requests / (b + std::sqrt(b * b - 4.0 * step.value * w * requests));
}

// What users see, as random variables.
struct Latencies {
  FirstToken first;
  Seconds tpot;
  Seconds tpot_deviation;  // standard, over users
};

// `rate` of one instance. Random splitting leaves bursty arrivals no burstier and makes regular
// ones at most Poisson; batches form from what waits, so service counts as exponential at least.
Latencies aggregated_at(const Demand& d, const PhasePoint& prefill, const PhasePoint& decode,
                        double rate) {
  const Seconds first = prefill.estimate.latency;
  const double share = rate / prefill.requests_per_s;
  Latencies out{.first = {.fixed = decode.estimate.step.cycle, .own = first},
                .tpot = Seconds{kInfinity}};
  out.first.prompts = d.prompts;
  if (share >= 1.0) {
    out.first.wait = {1.0, Seconds{kInfinity}};
    return out;
  }
  const double variability = (std::max(1.0, d.arrival_scv) + std::max(1.0, d.prompt_scv)) / 2.0;
  out.first.wait = {share, first * (variability * share / (1.0 - share))};
  out.tpot = decode.estimate.latency / (1.0 - share);
  const double work = d.output_tokens * decode.estimate.latency.value;
  const double left = 1.0 - share;
  const double stolen = share * first.value * 2.0 * variability / (left * left * left);
  out.tpot_deviation = Seconds{std::sqrt(work * stolen) / d.output_tokens};
  return out;
}

Latencies disaggregated_at(const Demand& d, const Fleet& f, double rate) {
  const Seconds third = prefill_wait(f.prefill) / 3.0;
  Latencies out{.first = {.own = 2.0 * third + f.kv_transfer, .under_way = 2.0 * third},
                .tpot = f.decode.estimate.latency};
  out.first.prompts = d.prompts;
  if (d.queueing) {
    out.first.wait = wait_of({.servers = f.prefill_instances,
                              .arrivals_per_s = rate,
                              .service = Seconds{1.0 / f.prefill.requests_per_s},
                              .arrival_scv = d.arrival_scv,
                              .service_scv = d.prompt_scv});
  }
  return out;
}

// Of the percents that a target may have; asked for in the inner loop of a search.
double normal_quantile(int percent) {
  static const std::array<double, 100> quantiles = [] {
    std::array<double, 100> out{};
    const boost::math::normal_distribution<double> normal;
    for (std::size_t p = 1; p < out.size(); ++p) {
      out[p] = boost::math::quantile(normal, static_cast<double>(p) / 100.0);
    }
    return out;
  }();
  return quantiles.at(static_cast<std::size_t>(percent));
}

Seconds tpot_percentile(const Latencies& l, int percent) {
  if (l.tpot_deviation <= Seconds{}) return l.tpot;
  return l.tpot + std::max(0.0, normal_quantile(percent)) * l.tpot_deviation;
}

bool holds(const Demand& d, const Latencies& l) {
  if (mean(l.first) > d.ttft * kRounding || l.tpot > d.tpot * kRounding) return false;
  return std::ranges::all_of(d.percentiles, [&](const LatencyPercentile& p) {
    if (p.of == LatencyPercentile::Of::tpot) return tpot_percentile(l, p.percent) <= p.time;
    return beyond(l.first, p.time) <= 1.0 - p.share();
  });
}

// The fewest instances, from `low` up, that `enough` says are; more are never worse.
template <class Enough>
std::optional<std::int64_t> fewest(std::int64_t low, const Enough& enough) {
  if (enough(low)) return low;
  std::int64_t high = 2 * low;
  for (; !enough(high); high *= 2) {
    if (high > kMostInstances) return std::nullopt;
    low = high;
  }
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

// The highest rate up to `most` that `enough` grants; less is never worse.
template <class Enough>
double highest(double most, const Enough& enough) {
  if (enough(most)) return most;
  double low = 0.0;
  constexpr int kHalvings = 24;  // 7 digits: shown, and settles ties
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + most) / 2.0;
    (enough(middle) ? low : most) = middle;
  }
  return low;
}

void fill_means(const Latencies& l, Sizing& s) {
  s.ttft = mean(l.first);
  s.tpot = l.tpot;
  s.wait = l.first.wait;
}

void fill_percentiles(const Demand& d, const Latencies& l, Sizing& s) {
  s.percentiles.clear();
  for (const LatencyPercentile& p : d.percentiles) {
    LatencyPercentile delivered = p;
    delivered.time = p.of == LatencyPercentile::Of::tpot ? tpot_percentile(l, p.percent)
                                                         : percentile(l.first, p.share());
    s.percentiles.push_back(delivered);
  }
}

void fill_aggregated(const Demand& d, const PhasePoint& prefill, const PhasePoint& decode,
                     double rate, Sizing& s) {
  const Seconds step = decode.estimate.step.cycle;
  const Seconds first = prefill.estimate.latency;
  const double w = 1.0 / prefill.requests_per_s;
  const double v = 1.0 / decode.requests_per_s;
  s.requests_per_s = rate * static_cast<double>(s.decode_instances);
  s.prefill_utilisation = rate * w;
  s.decode_utilisation = rate * (w + v);
  if (d.queueing) return fill_means(aggregated_at(d, prefill, decode, rate), s);
  const bool overloaded = rate * w >= 1.0;
  s.ttft = overloaded ? Seconds{kInfinity} : step + first / (1.0 - rate * w);
  s.tpot = overloaded ? Seconds{kInfinity} : decode.estimate.latency / (1.0 - rate * w);
}

void fill_disaggregated(const Demand& d, const Fleet& f, double rate, Sizing& s) {
  s.prefill_instances = f.prefill_instances;
  s.decode_instances = f.decode_instances;
  s.requests_per_s = rate;
  s.kv_transfer = f.kv_transfer;
  s.prefill_utilisation =
      rate / (static_cast<double>(f.prefill_instances) * f.prefill.requests_per_s);
  s.decode_utilisation = rate / (static_cast<double>(f.decode_instances) * f.decode.requests_per_s);
  if (d.queueing) return fill_means(disaggregated_at(d, f, rate), s);
  s.ttft = prefill_wait(f.prefill) + f.kv_transfer;
  s.tpot = f.decode.estimate.latency;
}

}  // namespace

std::string_view name(Serving serving) {
  constexpr std::array<std::string_view, 2> names{"aggregated", "disaggregated"};
  return names[static_cast<std::size_t>(serving)];
}

std::string_view name(Binding binding) {
  constexpr std::array<std::string_view, 6> names{"one instance",
                                                  "utilisation",
                                                  "TTFT",
                                                  "TPOT",
                                                  "TTFT percentile (queueing)",
                                                  "TPOT percentile (prompts in between)"};
  return names[static_cast<std::size_t>(binding)];
}

Demand demand_of(const PlanRequest& r) {
  const Traffic& t = r.traffic;
  Demand d{.requests_per_s = t.requests_per_s * t.peak_factor,
           .concurrency = t.concurrency,
           .output_tokens = t.output_tokens,
           .ttft = r.targets.ttft.value_or(Seconds{kInfinity}),
           .tpot = tpot_limit(r.targets).value_or(Seconds{kInfinity}),
           .utilisation = r.utilisation,
           .queueing = t.queueing,
           .arrival_scv = t.arrival_scv,
           .percentiles = r.targets.percentiles};
  if (t.mix && t.queueing) {
    d.prompt_scv = t.mix->prompt_scv;
    d.output_scv = t.mix->output_scv;
    d.prompts = t.mix->prompts;
  }
  return d;
}

Seconds prefill_wait(const PhasePoint& p) {
  const Seconds busy{p.batch / p.requests_per_s};  // of one step, all chunks
  return busy / 2.0 + p.estimate.latency;
}

std::optional<Sizing> size_aggregated(const Demand& d, const PhasePoint& prefill,
                                      const PhasePoint& decode) {
  const Seconds step = decode.estimate.step.cycle;
  const Seconds first = prefill.estimate.latency;
  const Seconds tpot = decode.estimate.latency;
  const double w = 1.0 / prefill.requests_per_s;
  const double v = 1.0 / decode.requests_per_s;
  // the largest share of prompts that leaves both latencies within their targets
  const double share = std::min(1.0 - tpot / d.tpot, 1.0 - first / (d.ttft - step));
  if (d.ttft <= step || share <= 0.0) return std::nullopt;
  double most = std::min(d.utilisation / (w + v), share / w);

  Sizing s;
  double rate = 0.0;  // of one instance
  if (d.concurrency > 0.0) {
    const Seconds work = first + d.output_tokens * tpot;
    const double in_system = most * (step + work / (1.0 - most * w)).value;
    s.decode_instances = instances_for(d.concurrency, in_system);
    const double each = d.concurrency / static_cast<double>(s.decode_instances);
    rate = rate_of_concurrency(each, step, work, w);
  } else {
    s.decode_instances = instances_for(d.requests_per_s, most);
    if (d.queueing) {
      const auto enough = [&](double r) { return holds(d, aggregated_at(d, prefill, decode, r)); };
      if (!enough(0.0)) return std::nullopt;
      const auto found = fewest(s.decode_instances, [&](std::int64_t n) {
        return enough(d.requests_per_s / static_cast<double>(n));
      });
      if (!found) return std::nullopt;
      s.decode_instances = *found;
      most = d.requests_per_s / static_cast<double>(*found);  // complete() finds more
    }
    rate = d.requests_per_s / static_cast<double>(s.decode_instances);
  }
  fill_aggregated(d, prefill, decode, rate, s);
  s.requests_per_s_supported = most * static_cast<double>(s.decode_instances);
  return s;
}

std::optional<Sizing> size_disaggregated(const Demand& d, const PhasePoint& prefill,
                                         const PhasePoint& decode, Seconds kv_transfer) {
  const Seconds ttft = prefill_wait(prefill) + kv_transfer;
  const Seconds tpot = decode.estimate.latency;
  if (ttft > d.ttft || tpot > d.tpot) return std::nullopt;
  const Seconds residence = ttft + d.output_tokens * tpot;
  const double rate = d.concurrency > 0.0 ? d.concurrency / residence.value : d.requests_per_s;
  Fleet f{.serving = Serving::disaggregated,
          .prefill = prefill,
          .decode = decode,
          .kv_transfer = kv_transfer,
          .prefill_instances = instances_for(rate, prefill.requests_per_s * d.utilisation),
          .decode_instances = instances_for(rate, decode.requests_per_s * d.utilisation)};
  const auto enough = [&](double r) { return holds(d, disaggregated_at(d, f, r)); };
  if (d.queueing) {
    if (!enough(0.0)) return std::nullopt;
    const auto found = fewest(f.prefill_instances, [&](std::int64_t n) {
      f.prefill_instances = n;
      return enough(rate);
    });
    if (!found) return std::nullopt;
    f.prefill_instances = *found;
  }
  Sizing s;
  fill_disaggregated(d, f, rate, s);
  const double prompts = static_cast<double>(f.prefill_instances) * prefill.requests_per_s;
  const double answers = static_cast<double>(f.decode_instances) * decode.requests_per_s;
  const double most = d.utilisation * std::min(prompts, answers);
  s.requests_per_s_supported = d.queueing ? rate : most;  // complete() finds more
  return s;
}

void complete(const Demand& d, const Fleet& f, Sizing& s) {
  if (!d.queueing) return;
  const auto n = static_cast<double>(f.decode_instances);
  const double answers = n * f.decode.requests_per_s;
  const bool apart = f.serving == Serving::disaggregated;
  const double prompts = static_cast<double>(apart ? f.prefill_instances : f.decode_instances) *
                         f.prefill.requests_per_s;
  const auto at = [&](double rate) {
    return apart ? disaggregated_at(d, f, rate) : aggregated_at(d, f.prefill, f.decode, rate / n);
  };
  const double most = d.utilisation * (apart ? std::min(prompts, answers)
                                             : prompts * answers / (prompts + answers));
  fill_percentiles(d, at(s.requests_per_s), s);
  s.requests_per_s_supported =
      std::max(s.requests_per_s, highest(most, [&](double rate) { return holds(d, at(rate)); }));
}

Sizing deliver(const Demand& d, const Fleet& f) {
  Sizing s;
  s.decode_instances = f.decode_instances;
  if (f.decode_instances < 1 || (f.serving == Serving::disaggregated && f.prefill_instances < 1)) {
    s.ttft = s.tpot = Seconds{kInfinity};
    s.prefill_utilisation = s.decode_utilisation = kInfinity;
    s.percentiles = d.percentiles;
    for (LatencyPercentile& p : s.percentiles) p.time = s.ttft;
    return s;
  }
  const auto n = static_cast<double>(f.decode_instances);
  if (f.serving == Serving::aggregated) {
    const Seconds step = f.decode.estimate.step.cycle;
    const Seconds work = f.prefill.estimate.latency + d.output_tokens * f.decode.estimate.latency;
    const double rate = d.concurrency > 0.0 ? rate_of_concurrency(d.concurrency / n, step, work,
                                                                  1.0 / f.prefill.requests_per_s)
                                            : d.requests_per_s / n;
    fill_aggregated(d, f.prefill, f.decode, rate, s);
  } else {
    const Seconds residence =
        prefill_wait(f.prefill) + f.kv_transfer + d.output_tokens * f.decode.estimate.latency;
    const double rate = d.concurrency > 0.0 ? d.concurrency / residence.value : d.requests_per_s;
    fill_disaggregated(d, f, rate, s);
  }
  if (d.queueing) {
    const double rate = d.requests_per_s;
    fill_percentiles(d,
                     f.serving == Serving::aggregated
                         ? aggregated_at(d, f.prefill, f.decode, rate / n)
                         : disaggregated_at(d, f, rate),
                     s);
  }
  // a backlog that grows has no latency
  if (d.concurrency <= 0.0 && std::max(s.prefill_utilisation, s.decode_utilisation) >= 1.0) {
    s.ttft = Seconds{kInfinity};
  }
  return s;
}

Wait slot_wait(const Demand& d, const Fleet& f) {
  const Sizing s = deliver(d, f);
  const double slots = static_cast<double>(f.decode_instances) * f.decode.batch;
  return wait_of({.servers = std::max<std::int64_t>(1, static_cast<std::int64_t>(slots)),
                  .arrivals_per_s = s.requests_per_s,
                  .service = d.output_tokens * s.tpot,
                  .arrival_scv = d.arrival_scv,
                  .service_scv = d.output_scv});
}

std::optional<Binding> missed(const Demand& d, const Sizing& s) {
  if (std::max(s.prefill_utilisation, s.decode_utilisation) > d.utilisation * kRounding) {
    return Binding::utilisation;
  }
  if (s.ttft > d.ttft * kRounding) return Binding::ttft;
  if (s.tpot > d.tpot * kRounding) return Binding::tpot;
  for (std::size_t i = 0; i < s.percentiles.size(); ++i) {
    if (s.percentiles[i].time <= d.percentiles[i].time * kRounding) continue;
    return d.percentiles[i].of == LatencyPercentile::Of::ttft ? Binding::ttft_tail
                                                              : Binding::tpot_tail;
  }
  return std::nullopt;
}

double headroom(const Demand& d, const Fleet& f) {
  const auto serves = [&](double multiple) {
    Demand scaled = d;
    scaled.requests_per_s *= multiple;
    scaled.concurrency *= multiple;
    return !missed(scaled, deliver(scaled, f));
  };
  constexpr double kIdle = 1e-9;
  constexpr double kPlenty = 1e9;  // beyond it nothing was asked for
  if (!serves(kIdle)) return 0.0;
  double most = 1.0;
  while (most < kPlenty && serves(most)) most *= 2.0;
  return highest(most, serves);
}

}  // namespace fathom::study
