#include "measure/run.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "measure/baselines.hpp"

namespace fathom::measure {

std::int64_t dram_buffer_bytes(const Machine& machine) {
  constexpr std::int64_t kLeast = INT64_C(64) << 20;
  // Some guests report the whole host's L3; beyond this size nothing of it is left from burst to
  // burst.
  constexpr std::int64_t kMost = INT64_C(384) << 20;
  const std::int64_t wanted = std::clamp(3 * machine.l3_bytes, kLeast, kMost);
  return std::max<std::int64_t>(INT64_C(16) << 20, std::min(wanted, machine.available_bytes / 4));
}

Measurement run(const RunOptions& options, std::stop_token stop) {
  Measurement out{.machine = this_machine(),
                  .isa = options.isa,
                  .suite = std::string{name(options.suite)},
                  .seed = options.seed};
  const auto memory = static_cast<std::int64_t>(options.memory_share *
                                                static_cast<double>(out.machine.available_bytes));
  std::vector<KernelCase> cases = suite_cases(options.suite, memory, &out.left_out);
  cases.insert(cases.end(), options.also.begin(), options.also.end());
  cases = select(std::move(cases), options.only);
  kernels::cpu::ThreadPool pool{options.threads};
  out.threads = pool.size();
  if (options.baselines) out.libraries = baseline_libraries();
  const Bench bench{options.isa, pool, options.seed};
  CeilingProbe probe{options.isa, pool, dram_buffer_bytes(out.machine)};
  if (options.ceilings) out.ceilings = measure_ceilings(pool, dram_buffer_bytes(out.machine));
  for (std::size_t i = 0; i < cases.size() && !stop.stop_requested(); ++i) {
    if (options.progress)
      options.progress(static_cast<double>(i) / static_cast<double>(cases.size()), cases[i].id);
    if (!options.baselines) cases[i].baselines = nullptr;
    CaseResult result = measure_case(cases[i], bench, probe, options.paired, stop);
    // interrupted before its first round: nothing to report
    if (result.time_s.count == 0 && stop.stop_requested()) break;
    out.results.push_back(std::move(result));
  }
  out.complete = !stop.stop_requested();
  return out;
}

nlohmann::json to_json(const Measurement& m) {
  using nlohmann::json;
  json ceilings = json::array();
  for (const CeilingRow& row : m.ceilings) ceilings.push_back(to_json(row));
  json kernels = json::array();
  for (const CaseResult& result : m.results) kernels.push_back(to_json(result));
  return {{"schema", "measurement/1"}, {"machine", to_json(m.machine)},
          {"isa", name(m.isa)},        {"threads", m.threads},
          {"suite", m.suite},          {"seed", m.seed},
          {"libraries", m.libraries},  {"complete", m.complete},
          {"left_out", m.left_out},    {"ceilings", ceilings},
          {"kernels", kernels}};
}

}  // namespace fathom::measure
