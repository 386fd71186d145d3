#include "measure/paired.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace fathom::measure {
namespace {

// Threads that wait for a CPU spoil wall time: below this share of it the round does not count.
constexpr double kLeastCpuShare = 0.95;
constexpr double kLargestDrift = 0.25;  // of the ceilings, from before to after the kernel

struct Reading {
  double seconds = 0.0;    // of one call
  double cpu_share = 1.0;  // CPU time of all threads over threads x wall time
};

// Dropping lines from the caches leaves their addresses translated, which weights that a model
// reads once per token are not: a byte of each of these pages takes the place of the old
// translations.
class ForeignPages {
 public:
  void touch() const {
    for (std::int64_t at = 0; at < pages_.size(); at += kPage)
      seen_ = seen_ + static_cast<unsigned char>(pages_[at]);
  }

 private:
  static constexpr std::int64_t kPage = 4096;
  kernels::cpu::Buffer<char> pages_{4096 * kPage};  // more than the second-level TLBs of today hold
  mutable volatile unsigned seen_ = 0;
};

struct Timer {
  const Bench& bench;
  Clock clock;
  double overhead;
  ForeignPages pages;

  explicit Timer(const Bench& b)
      : bench(b), clock(clock_for(b.pool.size())), overhead(clock_overhead(clock)) {}

  Reading read(const std::function<void()>& run, std::span<const Region> cold, int calls) const {
    const bool threads = bench.pool.size() > 1;
    const double cpu_before = threads ? bench.pool.cpu_seconds() : 0.0;
    const double wall_before = wall_seconds();
    double sum = 0.0;
    for (int i = 0; i < calls; ++i) {
      flush(cold);
      if (!cold.empty()) pages.touch();
      const double start = clock();
      run();
      sum += std::max(clock() - start - overhead, 1e-9);
    }
    Reading out{.seconds = sum / calls};
    const double wall = wall_seconds() - wall_before;
    if (threads && wall > 0.0)
      out.cpu_share = (bench.pool.cpu_seconds() - cpu_before) / (wall * bench.pool.size());
    return out;
  }
};

// As many calls as fill the shortest reading; the first call has warmed up what stays warm.
int calls_for(const Timer& timer, const Runnable& kernel, double shortest) {
  const double once = timer.read(kernel.run, kernel.cold, 1).seconds;
  constexpr int kMost = 1000;
  return std::clamp(static_cast<int>(std::ceil(shortest / once)), 1, kMost);
}

struct Rounds {
  std::vector<double> time, compute, registers, memory;
  std::vector<double> of_compute, of_registers, of_memory, of_roofline;
  std::vector<std::vector<double>> baseline_time, speedup;
};

RoundCeilings mean(const RoundCeilings& a, const RoundCeilings& b) {
  return {.compute = 0.5 * (a.compute + b.compute),
          .registers = 0.5 * (a.registers + b.registers),
          .memory = 0.5 * (a.memory + b.memory)};
}

bool drifted(double a, double b) { return std::abs(a - b) > kLargestDrift * std::max(a, b); }

RoundCeilings read_ceilings(CeilingProbe& probe) {
  return {.compute = probe.compute_burst(),
          .registers = probe.register_burst(),
          .memory = probe.memory_burst()};
}

void keep(const ops::OpCost& cost, const Reading& reading, const RoundCeilings& ceiling,
          Rounds& rounds) {
  const double flops = cost.flops.value / reading.seconds;
  const double bytes = ops::traffic(cost).value / reading.seconds;
  rounds.time.push_back(reading.seconds);
  rounds.compute.push_back(ceiling.compute);
  rounds.registers.push_back(ceiling.registers);
  rounds.memory.push_back(ceiling.memory);
  rounds.of_compute.push_back(flops / ceiling.compute);
  rounds.of_registers.push_back(flops / ceiling.registers);
  rounds.of_memory.push_back(bytes / ceiling.memory);
  rounds.of_roofline.push_back(std::max(rounds.of_compute.back(), rounds.of_memory.back()));
}

void summarize_into(const Rounds& rounds, const std::vector<Baseline>& baselines, CaseResult& out) {
  out.time_s = summarize(rounds.time);
  out.compute_ceiling = summarize(rounds.compute);
  out.register_ceiling = summarize(rounds.registers);
  out.memory_ceiling = summarize(rounds.memory);
  out.of_compute = summarize(rounds.of_compute);
  out.of_registers = summarize(rounds.of_registers);
  out.of_memory = summarize(rounds.of_memory);
  out.of_roofline = summarize(rounds.of_roofline);
  for (std::size_t i = 0; i < baselines.size(); ++i)
    out.baselines.push_back({baselines[i].name, baselines[i].version,
                             summarize(rounds.baseline_time[i]), summarize(rounds.speedup[i])});
}

// Never before the first round.
bool out_of_time(double passed, const Rounds& rounds, std::int64_t dropped,
                 const PairedOptions& options) {
  if (rounds.time.empty() && dropped == 0) return false;
  constexpr std::size_t kFew = 5;
  return passed > (rounds.time.size() < kFew ? 3.0 : 1.0) * options.seconds;
}

std::string remark(const CaseResult& r) {
  if (r.time_s.count == 0) return "no round was quiet enough to count";
  // Faster than DRAM was ever read in these rounds: the operands came from a cache.
  const double rate = ops::traffic(r.cost).value / r.time_s.median;
  if (r.cold && rate > 1.05 * r.memory_ceiling.high) return "cache-resident";
  return "";
}

// Baselines pack their own operands, so only ours are known to be dropped from the caches: theirs
// are at least as warm.
void read_baselines(const Timer& timer, const std::vector<Baseline>& baselines, double ours,
                    Rounds& rounds) {
  for (std::size_t i = 0; i < baselines.size(); ++i) {
    const double theirs = timer.read(baselines[i].run, {}, 1).seconds;
    rounds.baseline_time[i].push_back(theirs);
    rounds.speedup[i].push_back(theirs / ours);
  }
}

}  // namespace

ops::OpCost cost(const KernelCase& kernel) {
  ops::OpCost sum;
  for (const ops::Op& op : kernel.ops) {
    const ops::OpCost one = ops::cost(op);
    if (one.flops > sum.flops) sum.math = one.math;
    sum += one;
  }
  return sum;
}

CaseResult measure_case(const KernelCase& kernel, const Bench& bench, CeilingProbe& ceilings,
                        const PairedOptions& options, std::stop_token stop) {
  const Runnable runnable = kernel.prepare(bench);
  const std::vector<Baseline> baselines =
      kernel.baselines ? kernel.baselines(bench) : std::vector<Baseline>{};
  CaseResult out{.id = kernel.id,
                 .group = kernel.group,
                 .family = kernel.family,
                 .ops = kernel.ops,
                 .cost = cost(kernel),
                 .isa = bench.isa,
                 .threads = bench.pool.size(),
                 .cold = !runnable.cold.empty()};
  runnable.run();
  out.error = runnable.error();
  FATHOM_EXPECT(out.error <= kernel.error_bound, "a kernel is less accurate than it states");

  const Timer timer{bench};
  out.calls = calls_for(timer, runnable, options.shortest);
  Rounds rounds;
  rounds.baseline_time.resize(baselines.size());
  rounds.speedup.resize(baselines.size());
  for (const Baseline& baseline : baselines) baseline.run();
  ceilings.warm_up();
  const double start = wall_seconds();
  RoundCeilings before = read_ceilings(ceilings);
  while (static_cast<int>(rounds.time.size()) < options.rounds) {
    if (stop.stop_requested() || out_of_time(wall_seconds() - start, rounds, out.dropped, options))
      break;
    const Reading reading = timer.read(runnable.run, runnable.cold, out.calls);
    const RoundCeilings after = read_ceilings(ceilings);
    const bool quiet = reading.cpu_share >= kLeastCpuShare &&
                       !drifted(before.compute, after.compute) &&
                       !drifted(before.memory, after.memory);
    if (quiet) {
      keep(out.cost, reading, mean(before, after), rounds);
      read_baselines(timer, baselines, reading.seconds, rounds);
    } else {
      ++out.dropped;
    }
    before = baselines.empty() ? after : read_ceilings(ceilings);
  }
  summarize_into(rounds, baselines, out);
  out.note = remark(out);
  return out;
}

nlohmann::json to_json(const CaseResult& r) {
  using nlohmann::json;
  json ops = json::array();
  for (const ops::Op& op : r.ops) ops.push_back(ops::to_json(op));
  json baselines = json::array();
  for (const BaselineResult& b : r.baselines)
    baselines.push_back({{"name", b.name},
                         {"version", b.version},
                         {"time_s", to_json(b.time_s)},
                         {"speedup", to_json(b.speedup)}});
  return {{"id", r.id},
          {"group", r.group},
          {"family", hw::name(r.family)},
          {"operators", ops},
          {"flops", r.cost.flops.value},
          {"bytes", ops::traffic(r.cost).value},
          {"flops_per_byte", ops::intensity(r.cost).value},
          {"isa", name(r.isa)},
          {"threads", r.threads},
          {"operands", r.cold ? "cold" : "hot"},
          {"relative_error", r.error},
          {"calls_per_reading", r.calls},
          {"rounds_dropped", r.dropped},
          {"time_s", to_json(r.time_s)},
          {"compute_ceiling_flops_s", to_json(r.compute_ceiling)},
          {"register_ceiling_flops_s", to_json(r.register_ceiling)},
          {"memory_ceiling_b_s", to_json(r.memory_ceiling)},
          {"share_of_compute_ceiling", to_json(r.of_compute)},
          {"share_of_register_ceiling", to_json(r.of_registers)},
          {"share_of_memory_ceiling", to_json(r.of_memory)},
          {"share_of_roofline", to_json(r.of_roofline)},
          {"baselines", baselines},
          {"note", r.note}};
}

}  // namespace fathom::measure
