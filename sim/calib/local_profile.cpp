#include "calib/local_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/processor.hpp"
#include "lang/say.hpp"

namespace fathom::calib {
namespace {

using hw::Family;
using lang::say;
using nlohmann::json;

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kMib = 0x1p20;
constexpr double kGib = 0x1p30;
constexpr const char* kSource = "fathom_calibrate";
constexpr const char* kJudgement = "fathom";
// What a shared memory hand-over costs; no measurement of ours behind it.
constexpr double kHandOverGbS = 10.0;
constexpr double kHandOverUs = 1.0;
// The operating system and whoever else is there keep some.
constexpr double kUsable = 0.9;

double middle(std::vector<double> values) { return quantile(std::move(values), 0.5); }

double spread(const std::vector<double>& values) {
  return (quantile(values, 0.9) - quantile(values, 0.1)) / quantile(values, 0.5);
}

hw::Cluster base_cluster(const LocalCalibration& c) {
  hw::Cluster out;
  out.id = "local";
  out.status = "production";
  out.device.id = "local_cpu";
  out.device.kind = "cpu";
  out.device.arch = fmt::format("{}, {}", c.machine.model, name(c.isa));
  out.device.sm_count = c.threads;
  out.device.memory_capacity = Bytes{static_cast<double>(c.machine.memory_bytes)};
  out.device.memory_usable = kUsable * out.device.memory_capacity;
  out.device.memory_bandwidth = c.memory_ceiling;
  for (const Math math : {Math::bf16, Math::fp32})
    out.device.peak[static_cast<std::size_t>(math)] = c.compute_ceiling;
  out.device.l2 = Bytes{static_cast<double>(c.machine.l2_bytes) * c.threads};
  out.devices_per_node = 1;
  out.tiers.push_back({.name = "shared memory",
                       .group = 1,
                       .bandwidth = BytesPerSecond{kHandOverGbS * kGiga},
                       .peer_bandwidth = BytesPerSecond{kHandOverGbS * kGiga},
                       .latency = Seconds{kHandOverUs * 1e-6}});
  out.efficiency = hw::load_efficiency("cpu-amx");  // families that were not measured: assumed
  for (auto& row : out.efficiency.table)
    for (hw::Efficiency& entry : row) entry.evidence = hw::Evidence::assumed;
  out.fingerprint = processor_fingerprint();
  out.measured_on = c.machine.model;
  return out;
}

json figure(double value, bool measured) {
  return {{"v", value},
          {"src", {measured ? kSource : kJudgement}},
          {"basis", measured ? "measured" : "assumed"}};
}

// The profile holds the medians of the ceilings; another minute finds others, the more so the less
// steady the machine was. Eight in ten of normal values lie within 2.563 sigma, p10 to p90.
double moment_sigma(const LocalCalibration& c) {
  return std::max(c.compute_spread, c.memory_spread) / 2.563;
}

json entry_json(Family family, const hw::Efficiency& e, double moment) {
  json out{{"family", hw::name(family)},
           {"memory", e.memory},
           {"overhead_us", e.overhead.value * 1e6},
           {"blend", e.blend}};
  if (hw::is_arithmetic(family)) out["compute"] = e.compute;
  if (hw::is_communication(family)) out["near"] = e.near;
  if (e.cache_rate.value > 0.0) {
    if (e.cache.value > 0.0) out["cache_mib"] = e.cache.value / kMib;
    out["cache_gb_s"] = e.cache_rate.value / kGiga;
  }
  if (e.log_sigma > 0.0) out["log_sigma"] = std::hypot(e.log_sigma, moment);
  const bool measured = e.evidence == hw::Evidence::measured;
  out["basis"] = measured ? "measured" : "assumed";
  out["src"] = {measured ? kSource : kJudgement};
  return out;
}

json efficiency_json(const LocalCalibration& c) {
  json entries = json::array();
  for (std::size_t f = 0; f < hw::kFamilyCount; ++f) {
    const auto family = static_cast<Family>(f);
    entries.push_back(
        entry_json(family, c.cluster.efficiency.lookup(family, Math::bf16), moment_sigma(c)));
  }
  return {{"schema", "hweff-default/1"},
          {"name", "local"},
          {"sources",
           {{kSource, {{"cite", "measured on this machine by `fathom calibrate`"}}},
            {kJudgement, {{"cite", "this project's judgement; not measured here"}}}}},
          {"entries", entries}};
}

json device_json(const LocalCalibration& c) {
  const hw::DeviceProfile& d = c.cluster.device;
  // null: guests may hide their caches
  const json l2 = d.l2.value > 0.0 ? figure(d.l2.value / kMib, true) : json();
  return {{"id", d.id},
          {"kind", d.kind},
          {"arch", d.arch},
          {"compute_units", figure(c.threads, true)},
          {"memory",
           {{"type", "DRAM"},
            {"capacity_gib", figure(d.memory_capacity.value / kGib, true)},
            {"usable_gib", figure(d.memory_usable.value / kGib, false)},
            {"bandwidth_gb_s", figure(d.memory_bandwidth.value / kGiga, true)}}},
          {"l2_mib", l2},
          {"peak_dense_tflops",
           {{"matrix", {{"bf16", figure(d.peak_of(Math::bf16).value / kTera, true)}}},
            {"vector", {{"fp32", figure(d.peak_of(Math::fp32).value / kTera, true)}}}}}};
}

json samples_json(const LocalCalibration& c) {
  json out = json::array();
  for (const LocalSample& s : c.samples)
    out.push_back({{"id", s.id},
                   {"family", hw::name(s.family)},
                   {"time_s", s.time.value},
                   {"noise", s.noise},
                   {"compute_ceiling_flops_s", s.compute_ceiling.value},
                   {"memory_ceiling_b_s", s.memory_ceiling.value}});
  return out;
}

json fits_json(const LocalCalibration& c) {
  json out = json::array();
  for (const LocalEntry& e : c.entries)
    out.push_back({{"family", hw::name(e.family)},
                   {"samples", e.samples},
                   {"in_sample", to_json(e.in_sample)},
                   {"leave_one_out", to_json(e.leave_one_out)},
                   {"small_to_large", to_json(e.small_to_large)},
                   {"log_sigma", e.efficiency.log_sigma}});
  return out;
}

}  // namespace

std::vector<LocalSample> samples_of(const std::vector<measure::CaseResult>& results) {
  std::vector<LocalSample> out;
  for (const measure::CaseResult& r : results) {
    if (r.time_s.count == 0) continue;
    out.push_back({.id = r.id,
                   .family = r.family,
                   .ops = r.ops,
                   .time = Seconds{r.time_s.median},
                   .noise = r.time_s.mad / r.time_s.median,
                   .compute_ceiling = FlopsPerSecond{r.compute_ceiling.median},
                   .memory_ceiling = BytesPerSecond{r.memory_ceiling.median}});
  }
  return out;
}

LocalCalibration calibrate_local(const std::vector<measure::CaseResult>& results,
                                 const measure::Machine& machine) {
  LocalCalibration out;
  out.machine = machine;
  out.samples = samples_of(results);
  if (out.samples.size() < 3)
    throw InputError{fmt::format("only {} kernels could be measured; nothing to calibrate with",
                                 out.samples.size())};
  out.isa = results.front().isa;
  out.threads = results.front().threads;
  std::vector<double> compute, memory;
  for (const LocalSample& s : out.samples) {
    compute.push_back(s.compute_ceiling.value);
    memory.push_back(s.memory_ceiling.value);
  }
  out.compute_ceiling = FlopsPerSecond{middle(compute)};
  out.memory_ceiling = BytesPerSecond{middle(memory)};
  out.compute_spread = spread(compute);
  out.memory_spread = spread(memory);
  const double best = quantile(compute, 0.95);
  const auto slow = std::count_if(compute.begin(), compute.end(),
                                  [&](double rate) { return rate < 2.0 / 3.0 * best; });
  out.slow_share = static_cast<double>(slow) / static_cast<double>(compute.size());
  out.start = base_cluster(out);
  out.cluster = out.start;
  out.entries = fit_local(out.samples, out.cluster);
  return out;
}

nlohmann::json profile_json(const LocalCalibration& c) {
  json machine = to_json(c.machine);
  machine["threads"] = c.threads;
  machine["isa"] = name(c.isa);
  const hw::LinkTier& tier = c.cluster.tiers.front();
  return {{"schema", "hwprofile/1"},
          {"id", "local"},
          {"status", "production"},
          {"note",
           "this machine as `fathom calibrate` measured it; peaks are what products can be fed "
           "with, in the medians of all rounds"},
          {"machine", machine},
          {"sources",
           {{kSource, {{"cite", "measured on this machine by `fathom calibrate`"}}},
            {kJudgement, {{"cite", "this project's judgement; not measured here"}}}}},
          {"device", device_json(c)},
          {"devices_per_node", figure(1, true)},
          {"interconnect",
           {{{"name", tier.name},
             {"group", figure(1, true)},
             {"topology", "bus"},
             {"bandwidth_gb_s", figure(kHandOverGbS, false)},
             {"latency_us", figure(kHandOverUs, false)}}}},
          {"efficiency", efficiency_json(c)},
          {"price", {{"usd_per_device_hour", nullptr}}},
          {"calibration",
           {{"complete", c.complete},
            {"compute_ceiling_spread", c.compute_spread},
            {"memory_ceiling_spread", c.memory_spread},
            {"slow_share", c.slow_share},
            {"fits", fits_json(c)},
            {"samples", samples_json(c)}}}};
}

std::vector<std::string> warnings(const LocalCalibration& c) {
  std::vector<std::string> out;
  if (!c.complete) out.emplace_back("interrupted: some kernels were not measured");
  if (busy(c.machine))
    out.push_back(
        say("the machine was busy (load average {:.1f} on {} CPUs): intervals are "
            "wider, and times may not repeat",
            c.machine.load_average, c.machine.cpus));
  if (c.slow_share > 0.05)
    out.push_back(
        say("the machine changes its pace: in {:.0f} % of the cases products could "
            "be fed at less than two thirds of the best rate",
            100.0 * c.slow_share));
  if (c.memory_spread > 0.3)
    out.push_back(
        say("memory bandwidth varied by {:.0f} % between cases", 100.0 * c.memory_spread));
  return out;
}

}  // namespace fathom::calib
